"""How many requests a replica answers at a time. Used by `pipeline.py`."""

from __future__ import annotations

from types import TracebackType

from voyager_llm.errors import Overloaded


class Admission:
    """Slots for requests under way."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self.ongoing = 0

    def slot(self) -> Slot:
        """A place, held as a context manager. Entering raises `Overloaded` where all are taken."""
        return Slot(self)

    def take(self) -> None:
        if self.ongoing >= self._slots:
            raise Overloaded("this service is at its limit of concurrent requests", "", 1.0)
        self.ongoing += 1


class Slot:
    """One place. Gives itself back once."""

    __slots__ = ("_admission",)

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def __enter__(self) -> None:
        self._admission.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission.ongoing -= 1

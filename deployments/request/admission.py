"""How many requests a replica answers at a time. Used by `pipeline.py`."""

from __future__ import annotations

from voyager_llm.errors import Overloaded


class Admission:
    """Slots for requests under way."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self.ongoing = 0

    def take(self) -> Slot:
        """A place, to be given back. Raises `Overloaded` where all are taken."""
        if self.ongoing >= self._slots:
            raise Overloaded("this service is at its limit of concurrent requests", "", 1.0)
        return Slot(self)


class Slot:
    """One place. Gives itself back once."""

    __slots__ = ("_admission",)

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission
        admission.ongoing += 1

    def give_back(self) -> None:
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.ongoing -= 1

"""The HTTP client of the command line: one service, JSON in and out, errors that say what to do."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import orjson


class ServiceError(Exception):
    """The service refused or could not be reached; the text is for the user."""

    def __init__(self, message: str, status: int = 0, faults: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message, status)
        self.message = message
        self.status = status
        # ``field`` and ``description`` of each thing that is wrong, where the service tells them one by one.
        self.faults = faults


class ServiceClient:
    """Calls a running service's REST API."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        headers = {"x-voyager-user": _user()}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._http = httpx.Client(base_url=url, headers=headers, timeout=httpx.Timeout(300, connect=5))

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """The answer's JSON. Raises `ServiceError`."""
        try:
            answer = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        return _read(answer)

    def stream(self, path: str, body: Any) -> Iterator[dict[str, Any]]:
        """The events of a stream. Raises `ServiceError`, also for an error within it."""
        try:
            with self._http.stream("POST", path, json=body) as answer:
                if answer.is_error:
                    answer.read()
                    _read(answer)
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        event = orjson.loads(line[6:])
                        if "code" in event and "message" in event:
                            raise ServiceError(event["message"])
                        yield event
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def pages(self, path: str, field: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        token = ""
        while True:
            page = self.request("GET", path, params={"page_size": 1000, "page_token": token})
            yield from page[field]
            token = page["next_page_token"]
            if not token:
                return

    def _unreachable(self, error: httpx.HTTPError) -> ServiceError:
        return ServiceError(
            f"no service answers at {self._url} ({type(error).__name__}). Start one with `voyager-llm up`, "
            "or say where it is with --url or VOYAGER_URL."
        )


def _read(answer: httpx.Response) -> Any:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if answer.is_error:
        raise ServiceError(_message(document, answer.status_code), answer.status_code, _faults(document))
    return document


def _faults(document: Any) -> list[Mapping[str, str]]:
    details = document.get("details") if isinstance(document, dict) else None
    return [fault for detail in details or () for fault in detail.get("field_violations") or ()]


def _message(document: Any, status: int) -> str:
    if isinstance(document, dict):
        if "message" in document:
            return str(document["message"])
        error = document.get("error")
        if isinstance(error, dict) and "message" in error:
            return str(error["message"])
    return f"the service answered with status {status}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""

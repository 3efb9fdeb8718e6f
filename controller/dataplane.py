"""What the data plane says of itself: `GET /statusz` of the service. Used by `reconciler.py`."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
from pydantic import ValidationError

from voyager_llm.report import Report

log = logging.getLogger(__name__)

_TIMEOUT_S = 6.0


class DataPlane:
    """The running service. ``key_file`` holds the API key where the service wants one."""

    def __init__(self, url: str, key_file: str = "") -> None:
        self._key_file = key_file
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False)

    async def report(self) -> Report | None:
        """Every replica's report; None while nobody answers."""
        try:
            answer = await self._client.get("/statusz", headers=self._headers())
            answer.raise_for_status()
            report = Report.model_validate_json(answer.content)
            # One replica speaks for itself alone.
            return None if report.incomplete else report
        except (httpx.HTTPError, ValidationError, OSError) as error:
            log.info("the data plane does not answer: %s", type(error).__name__)
            return None

    async def close(self) -> None:
        await self._client.aclose()

    def _headers(self) -> dict[str, str]:
        # Read each time: the file changes when the key is rotated.
        if not self._key_file:
            return {}
        return {"authorization": f"Bearer {Path(self._key_file).read_text().strip()}"}

"""The log: JSON lines that nobody waits for, and one for each failure."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from deployments.request.failures import FailureLog
from tests.support.scripted import Behaviour, Bench, context, model, request, route
from tests.support.virtual_time import run
from voyager_llm import errors
from voyager_llm.domain.completion import Account, Reason, Tried
from voyager_llm.logs import JsonLines

CODE = """
import logging, pathlib, sys
from voyager_llm import logs
logs.configure(pathlib.Path(sys.argv[1]))
log = logging.getLogger("deployments.some")
log.info("half a character: \\ud800", extra={"fields": {"trace": "t\\ud800", "of": ("a", 1)}})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def test_lines_are_written_by_the_end_of_the_process(tmp_path: Path) -> None:
    file = tmp_path / "log"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", CODE, str(file)], check=True)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["message"] for line in lines] == ["half a character: ?", "failed"] * 2
    assert (lines[0]["trace"], lines[0]["of"], lines[0]["level"]) == ("t?", ["a", 1], "info")
    assert "ZeroDivisionError" in lines[1]["trace_back"]
    assert lines[0]["time"].endswith("Z")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(json.loads(JsonLines().format(record)))


@pytest.fixture
def lines() -> Generator[list[dict[str, Any]]]:
    handler = Lines()
    logger = logging.getLogger("deployments.request.failures")
    logger.addHandler(handler)
    before, logger.level = logger.level, logging.INFO
    yield handler.found
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_a_failed_completion_and_each_failed_attempt_has_a_line(lines: list[dict[str, Any]]) -> None:
    async def work(clock: Callable[[], float]) -> None:
        bench = Bench(lambda _: Behaviour(error=errors.UpstreamMisconfigured("the key is refused")), clock)
        await bench.define(model("p"), model("b"), route("r", "p", fallbacks=["b"]))
        with pytest.raises(errors.UpstreamMisconfigured) as failed:
            await bench.pipeline.complete(context(clock), request("r"))
        assert failed.value.causes == ("p: the key is refused", "b: the key is refused")

    run(work)
    assert [(line["message"], line.get("endpoint")) for line in lines] == [
        ("attempt failed", "p"), ("attempt failed", "b"), ("completion failed", None),
    ]  # fmt: skip
    assert all(line["trace"] == "t" and line["route"] == "r" for line in lines)
    assert (lines[1]["reason"], lines[1]["outcome"]) == ("fallback", "upstream_misconfigured")
    assert (lines[2]["level"], lines[2]["attempts"], lines[2]["subject"]) == ("warning", 2, "me")


def test_a_clients_mistake_is_no_warning_and_an_answer_no_line(lines: list[dict[str, Any]]) -> None:
    async def work(clock: Callable[[], float]) -> None:
        bench = Bench(lambda _: Behaviour(), clock)
        await bench.define(model("m"))
        await bench.pipeline.complete(context(clock), request("m"))
        with pytest.raises(errors.NotFound):
            await bench.pipeline.complete(context(clock), request("none"))

    run(work)
    assert [(line["level"], line["outcome"]) for line in lines] == [("info", "not_found")]


def test_lines_are_bounded_and_what_is_left_out_is_counted(lines: list[dict[str, Any]]) -> None:
    now = [0.0]
    told = FailureLog(lambda: now[0])
    tried = Tried("m", "m", Reason.FIRST, "upstream_unavailable", "x", 0.1)
    account = Account("upstream_unavailable", "x", "", "m", attempts=(tried,))
    for _ in range(2000):
        told.ended(context(lambda: 0.0), account)
    assert len(lines) == 500
    now[0] = 1.0
    told.ended(context(lambda: 0.0), account)
    assert lines[500]["left_out_before"] == 3500

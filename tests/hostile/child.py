"""Runs attacks on templates under limits of the kernel, and says what each took. Started by
`test_templates.py`.

    python -m tests.hostile.child FIRST

writes one line of JSON for each attack from the number FIRST on. What hangs or takes too much memory ends
this process, and so is seen by the one that started it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.attacks import ATTACKS, Attack
from voyager_llm.domain.definition import parse
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.errors import InvalidArgument
from voyager_llm.templating.render import check_prompt
from voyager_llm.templating.render import render as rendered

CPU_SECONDS = 3
ADDRESS_BYTES = 1_000_000_000
_LIBC = ctypes.CDLL(None)

_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}


def main(first: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    gc.freeze()
    for name, make in list(ATTACKS.items())[first:]:
        attack = make()
        define, render = _measured(lambda a=attack: _define(a)), _measured(lambda a=attack: _render(a))
        result = {"name": name, "define": define, "render": render}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


def _measured(run: Callable[[], str]) -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
    _LIBC.malloc_trim(0)  # what an attack before this one freed must not hide what this one takes
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    before, start = _kilobytes("VmRSS"), time.process_time()
    outcome = run()
    seconds = time.process_time() - start
    return {"outcome": outcome, "seconds": seconds, "megabytes": (_kilobytes("VmHWM") - before) / 1000}


def _define(attack: Attack) -> str:
    return _outcome(lambda: check_prompt(_prompt(attack)))


def _render(attack: Attack) -> str:
    return _outcome(lambda: rendered(_prompt(attack), attack.variables))


def _outcome(run: Callable[[], object]) -> str:
    try:
        run()
    except InvalidArgument as error:
        return f"{type(error).__name__}: {error}"
    except BaseException as error:
        return f"! {type(error).__name__}: {str(error)[:200]}"
    return "done"


def _prompt(attack: Attack) -> PromptDefinition:
    sources = attack.source
    body = (
        {"template": sources}
        if isinstance(sources, str)
        else {"messages": [{"role": "user", "content": source} for source in sources]}
    )
    given = {**attack.variables, "x": attack.variables.get("x", attack.defaults.get("x", ""))}
    parameters = [
        {"name": name, "type": _KINDS[type(value)], "default": attack.defaults.get(name)}
        for name, value in given.items()
        if len(name) == 1
    ]
    return parse(PromptDefinition, {"name": "p", "version": "1.0.0", "parameters": parameters, **body})


def _kilobytes(field: str) -> int:
    line = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(field))
    return int(line.split()[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))

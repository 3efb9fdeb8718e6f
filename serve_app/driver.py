"""The Ray driver: `python -m serve_app.driver FD` starts Ray, Serve and the application, for `cluster.py`.

A process of its own, since Ray takes over signals, writes to the terminal, and aborts when it loses its
cluster. It reports each step as a line on the file descriptor FD and takes commands as lines on standard
input, whose end says that the launcher is gone: then it ends the run, so that nothing serves unwatched.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import NoReturn

from serve_app.processes import Run
from voyager_llm.settings import settings


def _listen(commands: SimpleQueue[str]) -> NoReturn:
    """Hear the launcher out, whatever is being done meanwhile, and end the run when it is gone."""
    for line in sys.stdin:
        commands.put(line.strip())
    # Without Ray in it: that ends a process, in the middle of whatever it does, which loses its cluster.
    os.execv(sys.executable, [sys.executable, "-m", "serve_app.end_run"])  # noqa: S606


def main() -> None:
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    Run.of_this_process().keep_session()
    commands: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    try:
        # Ray takes seconds to import; the launcher may be gone by then.
        from serve_app.deploy import run  # noqa: PLC0415

        with os.fdopen(descriptor, "w", buffering=1) as reports:
            run(settings(), iter(commands.get, None), lambda step: print(step, file=reports))
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # the launcher ends the rest; Ray's own farewell would wait for it


if __name__ == "__main__":
    main()

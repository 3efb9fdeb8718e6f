"""A data plane that reports what a test says, over real HTTP: the controller's other neighbour."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from voyager_llm.domain.health import Phase
from voyager_llm.report import ModelReport, ReplicaReport, Report


class FakeDataPlane:
    """Answers `/statusz`. ``replicas`` is what it reports; None: it answers 503."""

    def __init__(self) -> None:
        self.replicas: dict[str, ReplicaReport] | None = {}
        # Why these are not all.
        self.incomplete = ""
        # Why what was published last is not taken over.
        self.publication = ""
        # While it is cleared, whoever asks waits; `asked` says that somebody did.
        self.answers, self.asked = threading.Event(), threading.Event()
        self.answers.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.set()
                outer.answers.wait(60)
                found = outer.replicas
                report = Report(
                    replicas=tuple((found or {}).values()),
                    incomplete=outer.incomplete,
                    publication=outer.publication,
                )
                body = report.model_dump_json().encode()
                self.send_response(200 if found is not None else 503)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def holds(self, published: str, *names: str, phase: Phase = Phase.READY, **prompts: int) -> None:
        """Two replicas that hold a configuration and see all models in one phase."""
        model = ModelReport(phase=phase, availability=99.5, latency_ms=12.0, last_seen=time.time())
        self.replicas = {
            replica: ReplicaReport(
                replica=replica,
                version=1,
                published=published,
                models=dict.fromkeys(names, model),
                prompts=prompts,
            )
            for replica in ("one", "two")
        }

    def stop(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()

"""A server that says of itself that it is a lab, and answers as its test likes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Foreign:
    """Its address, its answers by path (``rest`` for every other), and what it was asked: path and headers."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


def says(body: Any, headers: Mapping[str, str] | None = None, *, status: int = 200) -> Answer:
    """An answer of JSON, or of bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        usual = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        for name, value in {**usual, **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@contextmanager
def foreign_lab(answers: dict[str, Answer]) -> Iterator[Foreign]:
    """One that listens on this machine."""
    lab = Foreign(answers=answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            lab.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            try:
                lab.answers.get(self.path.partition("?")[0], lab.answers["rest"])(self)
            except OSError:  # whoever asked has had enough
                self.close_connection = True

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        lab.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield lab
        finally:
            server.shutdown()
            thread.join()

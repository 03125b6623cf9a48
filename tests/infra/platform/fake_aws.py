"""An AWS that says what it is told to: for what moto's server does not do, and for its refusals.

It answers the JSON services (Systems Manager, Secrets Manager, EC2 Instance Connect), by operation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Refuse(Exception):
    """Answer with this code."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass
class FakeAws:
    """`answers` by operation; `heard` are the operations in their order. It keeps `parameters` by itself."""

    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    heard: list[str] = field(default_factory=list[str])
    url: str = ""

    def __post_init__(self) -> None:
        self.answers |= {"GetParameter": self._parameter, "PutParameter": self._put_parameter}

    def _parameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["Name"] not in self.parameters:
            raise Refuse("ParameterNotFound")
        return {"Parameter": {"Value": self.parameters[asked["Name"]]}}

    def _put_parameter(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.parameters[asked["Name"]] = asked["Value"]
        return {}

    def refusing(self, code: str, message: str = "", *, times: int = 1000, status: int = 400) -> Answer:
        left = [times]

        def answer(asked: dict[str, Any]) -> dict[str, Any]:
            left[0] -= 1
            if left[0] >= 0:
                raise Refuse(code, message, status)
            return {}

        return answer


@contextmanager
def serve() -> Generator[FakeAws]:
    """Run it on a free port of 127.0.0.1."""
    fake = FakeAws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
            operation = self.headers["x-amz-target"].partition(".")[2]
            fake.heard.append(operation)
            try:
                status, content = 200, fake.answers[operation](asked)
            except Refuse as refused:
                status, content = refused.status, {"__type": refused.code, "message": refused.message}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

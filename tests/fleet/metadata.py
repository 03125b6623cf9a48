"""A small stand-in for the instance metadata service: version 2 only, one instance a port.

moto answers the same paths for one fixed instance, whose id and address no test can choose; hence this. What
it gives out are the credentials that moto's STS made for the instance's role, so that STS knows who asks.
"""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a-token-of-the-session"


class Metadata(ThreadingHTTPServer):
    """One instance's. `texts`: path below /latest/ → text; `files` are for anyone, as AWS's own are."""

    daemon_threads = True

    def __init__(self, address: str, credentials: Mapping[str, str], texts: dict[str, str]) -> None:
        super().__init__((address, 0), _Answer)
        role = "meta-data/iam/security-credentials/"
        self.texts = {role: "host-role", f"{role}host-role": json.dumps(credentials), **texts}
        self.files: dict[str, bytes] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are no news."""


class _Answer(BaseHTTPRequestHandler):
    server: Metadata  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_PUT(self) -> None:
        asked = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        self._say(200 if self.path == "/latest/api/token" and asked.isdigit() else 400, TOKEN.encode())

    def do_GET(self) -> None:
        if self.path in self.server.files:
            self._say(200, self.server.files[self.path])
        elif self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._say(401, b"")
        else:
            text = self.server.texts.get(self.path.removeprefix("/latest/"))
            self._say(404 if text is None else 200, (text or "").encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

"""A page and a health path in plain text, by Python's own server. It answers before it has read a body."""

import http.server
import os
import signal
import sys


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = {"/": "hello\n", "/up": "ok\n"}
        path = self.path.partition("?")[0]
        self.answer(200 if path in known else 404, known.get(path, "not found\n"))

    def do_POST(self) -> None:
        self.close_connection = True
        self.answer(405, "there is nothing to post to\n")

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        sys.stderr.write(f"{self.command} {format % args}\n")


def stop(signum: int, frame: object) -> None:
    os._exit(0)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), App)
signal.signal(signal.SIGTERM, stop)
server.serve_forever()

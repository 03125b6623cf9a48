"""An RDS that says which classes can be ordered: moto's server knows that of Aurora and Neptune only."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"


@dataclass
class Orderable:
    """`offers`: class, version and zones; answered a page at a time, as RDS does."""

    offers: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    denied: bool = False
    url: str = ""

    def answer(self, asked: dict[str, list[str]]) -> tuple[int, str]:
        if self.denied:
            return 403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        fits = [each for each in self.offers if each[0] == asked["DBInstanceClass"][0]]
        at = int(asked.get("Marker", ["0"])[0])
        options = "".join(
            f"<OrderableDBInstanceOption><Engine>postgres</Engine><EngineVersion>{version}</EngineVersion>"
            f"<DBInstanceClass>{kind}</DBInstanceClass><AvailabilityZones>"
            + "".join(f"<AvailabilityZone><Name>{zone}</Name></AvailabilityZone>" for zone in zones.split())
            + "</AvailabilityZones></OrderableDBInstanceOption>"
            for kind, version, zones in fits[at : at + 1]
        )
        marker = f"<Marker>{at + 1}</Marker>" if at + 1 < len(fits) else ""
        name = "DescribeOrderableDBInstanceOptions"
        return 200, (
            f'<{name}Response xmlns="{NAMESPACE}"><{name}Result><OrderableDBInstanceOptions>{options}'
            f"</OrderableDBInstanceOptions>{marker}</{name}Result></{name}Response>"
        )


@contextmanager
def serve() -> Generator[Orderable]:
    """Run it on a free port of 127.0.0.1; it offers what the defaults of production want."""
    rds = Orderable(
        [("db.t4g.medium", version, "us-east-1a us-east-1b us-east-1c") for version in ("15.14", "16.10")]
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            status, text = rds.answer(parse_qs(body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    rds.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield rds
    server.shutdown()
    server.server_close()

"""What the public must not reach: docs, debugging, operations, sources (X5, X11, P10)."""

from __future__ import annotations

import re

from checks.kit.check import check, not_evaluated
from checks.kit.site import Site, declared_request

GONE = (401, 403, 404, 405, 410)


@check(
    "X5",
    severity="high",
    asvs="13.4.5",
    standard="OWASP API9:2023",
    why="API docs, debuggers and repositories show an attacker what to try",
    remedy="turn them off in production, or add the path to private_paths in slipway.toml",
)
def test_docs_and_debugging_are_not_there(site: Site) -> None:
    found: list[str] = []
    for path in site.live.app.checks.hidden_paths:
        answer = site.get(path)
        if answer.status_code not in GONE:
            found.append(f"{path} answers {answer.status_code}")
    assert not found, "; ".join(found)


@check(
    "X11",
    "X5",
    severity="high",
    asvs="13.4.5",
    why="readiness and metrics expose the state of database and queue, and cost work to answer",
    remedy="name them in private_paths in slipway.toml",
)
def test_private_paths_are_private(site: Site) -> None:
    ready = site.live.app.web.ready if site.live.app.web else "/ready"
    for path in {*site.live.app.private_paths, ready}:
        status = site.get(path).status_code
        assert status == 404, f"{path} answers {status} to the public"


@check(
    "X11",
    severity="high",
    asvs="4.1.3",
    why="an encoded or unusual spelling of a path must not bypass the edge's rule",
    remedy="edge.cfg: normalise the path before it is compared",
)
def test_private_paths_are_private_however_they_are_written(site: Site) -> None:
    let_through: list[str] = []
    for path in site.live.app.private_paths:
        name = path.lstrip("/")
        coded = "".join(f"%{ord(letter):02x}" for letter in name[:1]) + name[1:]
        for written in (
            f"//{name}",
            f"/{coded}",
            f"/./{name}",
            f"/x/../{name}",
            f"{path}/",
            f"{path}%2f",
            f"{path}?a=b",
        ):
            status = _raw(site, written)
            if status == 200:
                let_through.append(written)
    assert not let_through, f"answered with 200: {', '.join(let_through)}"


@check(
    "X5",
    severity="critical",
    asvs="13.4.1",
    why="path traversal exposes files outside the app's public folder",
    remedy="serve only files that were listed at start",
)
def test_no_path_leaves_the_public_folder(site: Site) -> None:
    for path in (
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../../package.json",
        "/assets/..%2f..%2fpackage.json",
    ):
        body = _raw_body(site, path)
        assert "root:x:0:0" not in body, f"{path} exposes /etc/passwd"
        assert '"dependencies"' not in body, f"{path} exposes package.json"


@check(
    "P10",
    severity="medium",
    asvs="13.4.6",
    why="source maps contain the source code with its comments",
    remedy="leave *.map out of the build: build.exclude in slipway.toml",
)
def test_source_maps_are_not_served(site: Site) -> None:
    asset = site.live.app.checks.asset
    if asset is None:
        not_evaluated("declare checks.asset in slipway.toml")
    script = site.get(asset)
    assert script.status_code == 200, f"{asset} answers {script.status_code}"
    named = re.search(r"sourceMappingURL=(?!data:)(\S+)", script.text)
    for path in {f"{asset}.map", *([f"{asset.rpartition('/')[0]}/{named[1]}"] if named else [])}:
        status = site.get(path).status_code
        assert status in GONE, f"{path} answers {status}"
    assert "sourceMappingURL=data:" not in script.text, f"{asset} contains its source map"


@check(
    "P10",
    "X16",
    severity="high",
    asvs="16.5.1",
    why="a stack trace exposes versions, paths and code to an attacker",
    remedy="answer errors with a code and a request id, and log the rest",
)
def test_errors_for_malformed_requests_expose_no_internals(site: Site) -> None:
    method, path = declared_request(site, "malformed")
    for body, kind in (
        (b'{"broken": ', "application/json"),
        (b"\xff\xfe\x00", "application/json"),
        (b"[[[[", "text/plain"),
    ):
        answer = site.request(method, path, content=body, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500, f"{kind} {body!r} is answered with {answer.status_code}"
        _tells_nothing(answer.text, f"{method} {path}")


@check(
    "P10",
    severity="medium",
    asvs="16.5.1",
    why="an error page must not expose what else exists",
    remedy="use one handler for all unknown routes",
)
def test_errors_for_unknown_pages_expose_no_internals(site: Site) -> None:
    for path in ("/no-such-page", "/api/no-such-route", "/%00", "/%ff"):
        answer = site.get(path)
        assert 400 <= answer.status_code < 500, f"{path} answers {answer.status_code}"
        _tells_nothing(answer.text, path)


TRACES = (
    r"\bat .+\(.+:\d+:\d+\)",
    r"Traceback \(most recent",
    r"\.ts:\d+",
    r"\.py\", line \d+",
    r"node_modules",
    r"/srv/slipway",
    r"SELECT .+ FROM",
)


def _tells_nothing(text: str, where: str) -> None:
    for trace in TRACES:
        found = re.search(trace, text)
        assert not found, f"{where}: the answer holds {found[0][:80]!r}" if found else ""


def _raw(site: Site, path: str) -> int:
    return int(_raw_answer(site, path).split(b" ", 2)[1])


def _raw_body(site: Site, path: str) -> str:
    return _raw_answer(site, path).decode(errors="replace")


def _raw_answer(site: Site, path: str) -> bytes:
    """By hand: clients tidy a path up before they send it."""
    with site.connect() as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: {site.authority}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        parts: list[bytes] = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)

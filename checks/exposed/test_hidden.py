"""What the public must not reach: docs, debugging, operations, sources (X5, X11, P10)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from checks.exposed.scanned import scanned, spellings
from checks.exposed.traces import trace_in
from checks.kit.check import check, not_evaluated
from checks.kit.site import Site, declared_request

GONE = (400, 401, 403, 404, 405, 410, 421)
AT_ONCE = 8
"""Requests at once: each is cheap, and there are many."""
UNKNOWN = "/no-such-page-9c1e"
"""A path that no site has: what is answered like it is not there."""


@check(
    "X5",
    severity="high",
    asvs="13.4.5",
    standard="OWASP API9:2023",
    why="API docs, debuggers and repositories show an attacker what to try",
    remedy="turn them off in production, or add the path to private_paths in slipway.toml",
)
def test_docs_and_debugging_are_not_there(site: Site) -> None:
    found = _served(site, site.live.app.checks.hidden_paths)
    assert not found, "; ".join(found[:5])


@check(
    "X5",
    "P10",
    severity="high",
    asvs="13.4.1",
    standard="OWASP WSTG-CONF-04",
    why="scanners ask every site for these within hours of its first day",
    remedy="take the file out of the build (build.include in slipway.toml) or out of the public folder",
    deep=True,
)
def test_nothing_that_scanners_look_for_is_there(site: Site) -> None:
    found = _served(site, scanned(site.live.host_name, site.live.app.name))
    assert not found, f"{len(found)} in all: {'; '.join(found[:5])}"


@check(
    "X11",
    "X5",
    severity="high",
    asvs="13.4.5",
    why="readiness and metrics expose the state of database and queue, and cost work to answer",
    remedy="name them in private_paths in slipway.toml",
)
def test_private_paths_are_private(site: Site) -> None:
    for path in _private(site):
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
    unknown = _raw_answer(site, UNKNOWN)

    def let_through(written: str) -> str:
        answer = _raw_answer(site, written)
        status = _status(answer)
        # A site that answers every unknown path with its page has not let this one through.
        same = _body(answer) == _body(unknown)
        return f"{written!r} answers {status}" if status in range(200, 300) and not same else ""

    private = _private(site)
    tries = [written for path in private for written in spellings(path, site.live.url)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [each for each in pool.map(let_through, tries) if each]
    assert not found, "; ".join(found[:5])


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
    needs=("checks.asset",),
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
    needs=("checks.malformed",),
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
        # A site whose router runs in the browser answers with its page, others send to a sign-in.
        assert answer.status_code < 500, f"{path} answers {answer.status_code}"
        _tells_nothing(answer.text, path)


def _tells_nothing(text: str, where: str) -> None:
    trace = trace_in(text)
    assert not trace, f"{where}: the answer holds {trace!r}"


def _private(site: Site) -> list[str]:
    """Paths that only hosts and scrapers may reach: those declared, readiness, metrics."""
    app = site.live.app
    ready = [app.web.ready] if app.web and app.web.ready != app.web.health else []
    metrics = [app.checks.metrics.path] if app.checks.metrics else []
    return list(dict.fromkeys([*app.private_paths, *ready, *metrics]))


def _served(site: Site, paths: Iterable[str]) -> list[str]:
    """Which of `paths` are served: answered otherwise than an unknown path is."""
    unknown = site.get(UNKNOWN)

    def served(path: str) -> str:
        answer = site.get(path)
        same = (
            answer.status_code == unknown.status_code and answer.text.replace(path, UNKNOWN) == unknown.text
        )
        return "" if answer.status_code in GONE or same else f"{path} answers {answer.status_code}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(served, paths) if found]


def _status(answer: bytes) -> int:
    """The status of a raw answer; 0 if there is none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if answer.startswith(b"HTTP/") and words[1:] else 0


def _body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def _raw_body(site: Site, path: str) -> str:
    return _raw_answer(site, path).decode(errors="replace")


def _raw_answer(site: Site, path: str) -> bytes:
    """By hand: clients tidy a path up before they send it."""
    with site.connect() as connection:
        lines = f"Host: {site.authority}\r\n{site.load_line}Connection: close\r\n"
        connection.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        parts: list[bytes] = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)

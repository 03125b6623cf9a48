"""Which host names lead to which preview: two maps of HAProxy, changed without a reload."""

from __future__ import annotations

import re

from . import durable, haproxy
from .errors import AgentError
from .preview_record import Preview, PreviewPaths


def route(paths: PreviewPaths, site: str, port: int, file: str) -> None:
    """Lead requests for `site` to `port`: in HAProxy's memory at once, in its file for when it starts."""
    if not re.fullmatch(r"[a-z0-9.-]{1,253}", site):
        raise AgentError("bad_request", f"site: {site!r} is no host name")
    entries = _routes(file)
    known = haproxy.ask(paths, f"get map {file} {site}")
    verb = "set" if "found=yes" in known else "add"
    answer = haproxy.ask(paths, f"{verb} map {file} {site} {port}").strip()
    if answer:
        raise AgentError("haproxy", f"HAProxy refused the preview's entry: {answer.splitlines()[0]}")
    _keep_routes(file, {**entries, site: str(port)})


def _routes(file: str) -> dict[str, str]:
    lines = (durable.read(file) or b"").decode().splitlines()
    return {
        site: port for site, _, port in (line.partition(" ") for line in lines) if site and site[0] != "#"
    }


def _keep_routes(file: str, entries: dict[str, str]) -> None:
    text = "".join(f"{site} {port}\n" for site, port in sorted(entries.items()))
    durable.write(file, text.encode(), 0o644)


def unroute(paths: PreviewPaths, preview: Preview) -> None:
    """Lead requests for none of its host names to the preview any more."""
    ports = {str(preview.port(offset)) for offset in range(3)}
    for file in (paths.sites_map, paths.uploads_map):
        entries = _routes(file)
        for site, port in entries.items():
            if port in ports:
                haproxy.ask(paths, f"del map {file} {site}")
        _keep_routes(file, {site: port for site, port in entries.items() if port not in ports})

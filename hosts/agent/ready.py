"""Wait until processes are ready, and fail at once if one dies."""

from __future__ import annotations

import http.client
import os
import re
import time

from . import envfile, listening, systemd
from .errors import AgentError
from .host import Paths
from .state import Process, Slot

_BODY = 300
"""Bytes of a ready path's answer that are shown."""
_LINES, _LINES_READ = 20, 400
"""Log lines that are shown, and those that are read: probes may have filled the newest."""
_POLL = 0.05
_LOOK, _LOOK_AT_DEAD = 2.0, 0.1
"""Seconds between calls of systemctl, while every process is there and after one has gone: each call takes
15 ms of CPU, and as much of systemd's, which the app that is starting lacks."""
_SETTLE = 2.0
"""Seconds a worker that writes no READY_FILE must stay up to count as ready."""


def start_ready(paths: Paths, slot: Slot, processes: list[Process]) -> None:
    """Start every instance of `processes` and return when all are ready.

    The web process: 200 on its ready path, HTTP/1.1 with the site's Host. Others: READY_FILE exists, or
    active for 2 s without a restart. Raises `crashed` or `not_ready` with the last journal lines.
    """
    since = time.time()
    units = [unit for process in processes for unit in process.units(slot.name)]
    systemd.forget_failures(units)
    try:
        systemd.start(units)
    except AgentError:
        _refuse_dead(paths, slot, units, since)
        raise
    waiting = {unit: (process, port) for process in processes for unit, port in _instances(slot, process)}
    answers: dict[str, str] = {}
    pids: dict[str, int] = {}
    started = time.monotonic()
    looked = 0.0
    while waiting:
        elapsed = time.monotonic() - started
        every = _LOOK if all(os.path.exists(f"/proc/{pid}") for pid in pids.values()) else _LOOK_AT_DEAD
        if elapsed - looked >= every or not looked:
            looked = elapsed or _POLL
            pids = _refuse_dead(paths, slot, list(waiting), since)
        for unit, (process, port) in list(waiting.items()):
            if port:
                answers[unit] = probe(port, process.ready, slot.site)[0]
            elif os.path.exists(f"{paths.run}/ready/{unit}/ready") or elapsed >= _SETTLE:
                answers[unit] = "200"
            if answers.get(unit) == "200":
                del waiting[unit]
            elif elapsed > process.boot_seconds:
                message = f"{unit} was not ready within {process.boot_seconds} s"
                if port:
                    message += f": GET {process.ready} answers {answers[unit]}"
                    message += _why(slot, process, unit, port, answers[unit])
                probes = process.ready if port else ""
                raise _failed(paths, slot, unit, since, code="not_ready", message=message, probes=probes)
        if waiting:
            time.sleep(_POLL)
    _refuse_dead(paths, slot, units, since)


def _why(slot: Slot, process: Process, unit: str, port: int, answer: str) -> str:
    """What the app says for itself; or, if it says nothing, where it listens instead."""
    if answer.isdigit():
        body = ask(port, process.ready, slot.site)[1]
        return f": {body}" if body else ""
    elsewhere = listening.hint(systemd.pids(unit), port)
    return f"; {elsewhere}" if elsewhere else ""


def probe(port: int, path: str, site: str, timeout: float = 2.0) -> tuple[str, float]:
    """Status (or the failure) and milliseconds of a GET on 127.0.0.1."""
    status, _, took = ask(port, path, site, timeout)
    return status, took


def ask(port: int, path: str, site: str, timeout: float = 2.0) -> tuple[str, str, float]:
    """Status (or the failure), the first bytes of the body in one line, and milliseconds."""
    begun = time.perf_counter()
    body = b""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": site, "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        status = str(answer.status)
        body = answer.read(_BODY)
    except TimeoutError:
        status = f"nothing within {timeout:g} s"
    except OSError as error:
        status = error.strerror or str(error)
    except http.client.HTTPException as error:
        status = f"no HTTP ({type(error).__name__})"
    finally:
        connection.close()
    text = " ".join(body.decode("utf-8", "replace").split())
    took = (time.perf_counter() - begun) * 1000
    return status, "".join(letter for letter in text if letter.isprintable()), took


def _instances(slot: Slot, process: Process) -> list[tuple[str, int]]:
    units = process.units(slot.name)
    return list(zip(units, process.ports(slot.name) or [0] * len(units), strict=True))


def _refuse_dead(paths: Paths, slot: Slot, units: list[str], since: float) -> dict[str, int]:
    """By unit, its process."""
    found = systemd.show(units)
    for unit in found.values():
        if unit.ended:
            message = f"{unit.name} ended with {unit.exit} ({unit.result}) while starting"
            raise _failed(paths, slot, unit.name, since, code="crashed", message=message)
    return {name: unit.pid for name, unit in found.items()}


def _failed(
    paths: Paths, slot: Slot, unit: str, since: float, *, code: str, message: str, probes: str = ""
) -> AgentError:
    """With the unit's last lines, without those that only say that `probes` was requested."""
    time.sleep(0.1)  # journald may not have written the last line yet
    hidden = envfile.secrets(paths, slot)
    said = without_probes(systemd.journal(unit, since, _LINES_READ), probes)[-_LINES:]
    lines = envfile.redact("\n".join(said), hidden).splitlines()
    return AgentError(code, envfile.redact(message, hidden), log=lines, detail={"unit": unit})


def without_probes(lines: list[str], path: str) -> list[str]:
    """`lines` without an access log's lines on `path`; all of them if nothing else was written."""
    request = re.compile(rf"(?<![\w/]){re.escape(path)}(?![\w/-])")
    method = re.compile(r"\bGET\b|\bmethod\b", re.I)
    left = [line for line in lines if not (path and request.search(line) and method.search(line))]
    return left or lines

"""Wait until processes are ready, and fail at once if one dies."""

from __future__ import annotations

import http.client
import os
import time

from . import envfile, systemd
from .errors import AgentError
from .host import Paths
from .state import Process, Slot

_POLL = 0.05
_LOOK = 0.3
"""Seconds between calls of systemctl: each takes 15 ms of CPU."""
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
    started = time.monotonic()
    looked = 0.0
    while waiting:
        elapsed = time.monotonic() - started
        if elapsed - looked >= _LOOK or not looked:
            looked = elapsed or _POLL
            _refuse_dead(paths, slot, list(waiting), since)
        for unit, (process, port) in list(waiting.items()):
            if port:
                answers[unit] = probe(port, process.ready, slot.site)[0]
            elif os.path.exists(f"{paths.run}/ready/{unit}/ready") or elapsed >= _SETTLE:
                answers[unit] = "200"
            if answers.get(unit) == "200":
                del waiting[unit]
            elif elapsed > process.boot_seconds:
                answer = answers.get(unit, "no READY_FILE")
                message = f"{unit} was not ready within {process.boot_seconds} s"
                message += f": GET {process.ready} answers {answer}" if port else ""
                raise _failed(paths, slot, unit, since, code="not_ready", message=message)
        if waiting:
            time.sleep(_POLL)
    _refuse_dead(paths, slot, units, since)


def probe(port: int, path: str, site: str, timeout: float = 2.0) -> tuple[str, float]:
    """Status (or the failure) and milliseconds of a GET on 127.0.0.1."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": site, "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        answer.read()
        status = str(answer.status)
    except TimeoutError:
        status = f"nothing within {timeout:g} s"
    except OSError as error:
        status = error.strerror or str(error)
    except http.client.HTTPException as error:
        status = f"no HTTP ({type(error).__name__})"
    finally:
        connection.close()
    return status, (time.perf_counter() - begun) * 1000


def _instances(slot: Slot, process: Process) -> list[tuple[str, int]]:
    units = process.units(slot.name)
    return list(zip(units, process.ports(slot.name) or [0] * len(units), strict=True))


def _refuse_dead(paths: Paths, slot: Slot, units: list[str], since: float) -> None:
    for unit in systemd.show(units).values():
        if unit.ended:
            message = f"{unit.name} ended with {unit.exit} ({unit.result}) while starting"
            raise _failed(paths, slot, unit.name, since, code="crashed", message=message)


def _failed(paths: Paths, slot: Slot, unit: str, since: float, *, code: str, message: str) -> AgentError:
    time.sleep(0.1)  # journald may not have written the last line yet
    hidden = envfile.secrets(paths, slot)
    lines = envfile.redact("\n".join(systemd.journal(unit, since)), hidden).splitlines()
    return AgentError(code, message, log=lines, detail={"unit": unit})

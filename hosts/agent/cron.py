"""Cron: one systemd timer for each entry, on the owner host only. It runs the release that is live by then.

The timer calls `slipway-agent cron <name>`, which looks up the live release: a switch changes timers only if
a schedule changed. Which host is the owner is decided by cron_owner.py, or by the pipeline where hosts are
fixed.
"""

from __future__ import annotations

import json
import os
import time

from . import durable, envfile, program, systemd
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Slot, State

LAPSE = 300.0
"""Seconds after its last look at the other hosts after which a host runs no entry any more."""


def check(slot: Slot) -> None:
    """Refuse schedules that systemd cannot parse."""
    schedules = [JsonObject(entry, f"cron.{name}").text("schedule") for name, entry in slot.cron.items()]
    if schedules:
        done = program.run("systemd-analyze", "calendar", "--", *schedules)
        if done.code:
            raise AgentError("bad_request", f"cron schedule: {done.err.splitlines()[0]}")


def check_entry(name: str, fields: dict[str, object]) -> None:
    """Refuse an entry that could add a line to its units."""
    entry = JsonObject(fields, f"cron.{name}")
    entry.line("schedule")
    entry.line("path", "")
    entry.whole("timeout_seconds", 300)
    if entry.text("schedule").endswith("\\"):
        raise AgentError("bad_request", f"cron.{name}.schedule: must not end with a backslash")


def sync(paths: Paths, state: State) -> bool:
    """Make the timers those of the live release's entries that this host owns; True if any changed."""
    wanted: dict[str, str] = {}
    for name, entry in state.live.cron.items() if state.live else ():
        if ("command" if entry.get("command") else "path") in state.cron_kinds:
            wanted |= _unit_files(name, JsonObject(entry, f"cron.{name}"))
    here = {name for name in os.listdir(paths.units) if name.startswith("slipway-cron-")}
    stale = here - set(wanted)
    fresh = [
        name for name, text in wanted.items() if (durable.read(paths.unit(name)) or b"").decode() != text
    ]
    if stale:
        systemd.stop([name for name in stale if name.endswith(".timer")])
    for name in stale:
        durable.unlink(paths.unit(name))
    for name in fresh:
        durable.write(paths.unit(name), wanted[name].encode(), 0o644)
    if stale or fresh:
        systemd.reload()
    timers = [name for name in wanted if name.endswith(".timer")]
    if fresh:
        program.run("systemctl", "restart", "--", *timers)
    return bool(stale or fresh)


def start(paths: Paths) -> None:
    """Start the installed timers, at boot."""
    systemd.start(
        [
            name
            for name in os.listdir(paths.units)
            if name.startswith("slipway-cron-") and name.endswith(".timer")
        ]
    )


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """`slipway-agent cron <name>`: run one entry now."""
    name = request.text("name")
    live = State.load(paths).live
    if live is None or name not in live.cron:
        return {"name": name, "skipped": "no live release with this entry"}
    if host.boot_secret and not may_fire(paths, live):
        return {"name": name, "skipped": "another host may own the entries by now"}
    entry = JsonObject(live.cron[name], f"cron.{name}")
    run: dict[str, object] = {"release": live.release, "begun": round(time.time(), 3)}
    _note(paths, name, run)
    try:
        answer = _run(paths, host, live, name, entry)
    except AgentError as error:
        _note(paths, name, {**run, "ended": round(time.time(), 3), "failure": error.message})
        raise
    _note(paths, name, {**run, "ended": round(time.time(), 3)})
    return answer


def last_runs(paths: Paths, state: State) -> dict[str, object]:
    """By entry of the live release that this host owns, its last run here; null: it has not run yet."""
    return {
        name: _noted(paths, name)
        for name, entry in (state.live.cron.items() if state.live else ())
        if ("command" if entry.get("command") else "path") in state.cron_kinds
    }


def _note(paths: Paths, name: str, run: dict[str, object]) -> None:
    os.makedirs(paths.cron_runs, mode=0o700, exist_ok=True)
    durable.write(f"{paths.cron_runs}/{name}.json", json.dumps(run).encode(), sync=False)


def _noted(paths: Paths, name: str) -> dict[str, object] | None:
    content = durable.read(f"{paths.cron_runs}/{name}.json")
    try:
        return JsonObject.parse(content, "cron run").raw if content else None
    except AgentError:  # a power cut while it was written
        return None


def _run(paths: Paths, host: Host, live: Slot, name: str, entry: JsonObject) -> dict[str, object]:
    begun = time.monotonic()
    timeout = entry.whole("timeout_seconds", 300)
    if entry.has("path"):
        detail = _post(paths, live, entry, timeout)
    else:
        from . import run

        argv = run.command_words(paths, live, entry.text("command"))
        detail = run.one_off(paths, host, live, scope="cron", argv=argv, extra={}, timeout=timeout)
        if detail["exit"] != 0:
            raise AgentError("cron_failed", f"cron {name} ended with {detail['exit']}")
    return {"name": name, "seconds": round(time.monotonic() - begun, 3), **detail}


def _post(paths: Paths, live: Slot, entry: JsonObject, timeout: int) -> dict[str, object]:
    """POST to the live release with the entry's secret as bearer token; the secret stays in this process."""
    import http.client

    secret, path = entry.text("secret", "CRON_SECRET"), entry.text("path")
    header = entry.text("header", "")
    values = {**envfile.read(paths, live.name, "web"), **envfile.read(paths, live.name, "cron")}
    if secret not in values:
        raise AgentError("cron_failed", f"{secret} is in the env of neither cron nor web")
    headers = {
        "Host": live.site,
        **({header: values[secret]} if header else {"Authorization": f"Bearer {values[secret]}"}),
        "X-Forwarded-Proto": "https",
        "Content-Length": "0",
    }
    connection = http.client.HTTPConnection("127.0.0.1", paths.live_port, timeout=timeout)
    try:
        connection.request("POST", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise AgentError("cron_failed", f"POST {path}: {error}") from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise AgentError("cron_failed", f"POST {path} answered {answer.status}")
    return {"status": answer.status}


def _unit_files(name: str, entry: JsonObject) -> dict[str, str]:
    seconds = entry.whole("timeout_seconds", 300) + 30
    return {
        f"slipway-cron-{name}.timer": f"""\
[Unit]
Description=slipway cron {name}

[Timer]
OnCalendar={entry.line("schedule")}
AccuracySec=1s
""",
        f"slipway-cron-{name}.service": f"""\
[Unit]
Description=slipway cron {name}

[Service]
Type=oneshot
ExecStart=/usr/local/bin/slipway-agent cron {name}
TimeoutStartSec={seconds}
SyslogIdentifier=cron-{name}
""",
    }


class Lease:
    """This host's last look at the other hosts (cron_owner.py). A reboot deletes it, as it must."""

    def __init__(self, fields: JsonObject) -> None:
        self.user_id = fields.text("user_id", "")
        self.looked = fields.number("looked", -2 * LAPSE)
        """When that look began, in seconds since the host started."""
        self.stood = fields.number("stood", 0)
        """Since when it has been a candidate without a gap, by the bucket's clock; 0: it is none."""

    @classmethod
    def load(cls, paths: Paths) -> Lease:
        """As last saved; without a file, one that never looked."""
        return cls(JsonObject.parse(durable.read(paths.cron_lease) or b"", "cron lease"))

    def save(self, paths: Paths) -> None:
        os.makedirs(os.path.dirname(paths.cron_lease), exist_ok=True)
        durable.write(paths.cron_lease, json.dumps(vars(self)).encode(), sync=False)

    def holds(self, now: float) -> bool:
        """Is the last look recent enough to run entries?"""
        return now - self.looked < LAPSE


def may_fire(paths: Paths, live: Slot) -> bool:
    """May this host still run entries? Yes if it looked, or a switch gave them to it, recently."""
    return Lease.load(paths).holds(clock()) or time.time() - live.since < LAPSE


def clock() -> float:
    """Seconds since the host started, including time asleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

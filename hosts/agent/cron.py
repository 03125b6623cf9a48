"""Cron: a systemd timer an entry, on the owner host only, for whichever release is live when it fires.

The timer calls `slipway-agent cron <name>`, which looks up the live release: a switch need not touch timers
unless a schedule changed.
"""

from __future__ import annotations

import os
import time

from . import durable, envfile, spawn, systemd
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .slot import Slot
from .state import State


def check(slot: Slot) -> None:
    """Refuse schedules that systemd does not understand."""
    schedules = [Fields(entry, f"cron.{name}").text("schedule") for name, entry in slot.cron.items()]
    if schedules:
        done = spawn.run("systemd-analyze", "calendar", "--", *schedules)
        if done.code:
            raise AgentError("bad_request", f"cron schedule: {done.err.splitlines()[0]}")


def sync(paths: Paths, state: State) -> bool:
    """Make the timers those of the live release's entries that this host owns; True if any changed."""
    wanted: dict[str, str] = {}
    for name, entry in state.live.cron.items() if state.live else ():
        if ("command" if entry.get("command") else "path") in state.cron_kinds:
            wanted |= _unit_files(name, Fields(entry, f"cron.{name}"))
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
        spawn.run("systemctl", "restart", "--", *timers)
    return bool(stale or fresh)


def start(paths: Paths) -> None:
    """Start the timers that are installed: at boot."""
    systemd.start(
        [
            name
            for name in os.listdir(paths.units)
            if name.startswith("slipway-cron-") and name.endswith(".timer")
        ]
    )


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:
    """`slipway-agent cron <name>`: one firing, now."""
    name = request.text("name")
    live = State.load(paths).live
    if live is None or name not in live.cron:
        return {"name": name, "skipped": "no live release with this entry"}
    if host.boot_secret:
        from .cron_owner import may_fire

        if not may_fire(paths, live):
            return {"name": name, "skipped": "another host may own the entries by now"}
    entry = Fields(live.cron[name], f"cron.{name}")
    begun = time.monotonic()
    timeout = entry.whole("timeout_seconds", 300)
    if entry.has("path"):
        detail = _post(paths, live, entry, timeout)
    else:
        from . import run

        argv = ["/bin/sh", "-c", entry.text("command")]
        detail = run.one_off(paths, host, live, scope="cron", argv=argv, extra={}, timeout=timeout)
        if detail["exit"] != 0:
            raise AgentError("cron_failed", f"cron {name} ended with {detail['exit']}")
    return {"name": name, "seconds": round(time.monotonic() - begun, 3), **detail}


def _post(paths: Paths, live: Slot, entry: Fields, timeout: int) -> dict[str, object]:
    """POST to the live release with the bearer of the entry's secret; neither ever leaves this process."""
    import http.client

    secret, path = entry.text("secret", "CRON_SECRET"), entry.text("path")
    values = {**envfile.read(paths, live.name, "web"), **envfile.read(paths, live.name, "cron")}
    if secret not in values:
        raise AgentError("cron_failed", f"{secret} is in the env of neither cron nor web")
    headers = {
        "Host": live.site,
        "Authorization": f"Bearer {values[secret]}",
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


def _unit_files(name: str, entry: Fields) -> dict[str, str]:
    seconds = entry.whole("timeout_seconds", 300) + 30
    return {
        f"slipway-cron-{name}.timer": f"""\
[Unit]
Description=slipway cron {name}

[Timer]
OnCalendar={entry.text("schedule")}
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

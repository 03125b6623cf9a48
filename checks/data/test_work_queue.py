"""What is waiting, what was given up, and who calls the clock (S6, S7, S10, I10, I11)."""

from __future__ import annotations

import re

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Hosts, LiveHost
from hosts.plan import BLUE_PORT, GREEN_PORT
from slipway.stack import LiveStack

WAITING = 1000
"""I10's alarm stands there too."""


def _metrics(live: LiveStack, host: LiveHost) -> str:
    """The app's own metrics, asked on the host through the live slot's HAProxy backend."""
    if live.app.checks.metrics is None:
        not_evaluated("declare [checks.metrics] in slipway.toml")
    path = live.app.checks.metrics.path
    program = (
        "import json,urllib.request\n"
        "state=json.load(open('/var/lib/slipway/state.json'))\n"
        f"port={{'blue':{BLUE_PORT + 1},'green':{GREEN_PORT + 1}}}[state['active']]\n"
        f"print(urllib.request.urlopen(f'http://127.0.0.1:{{port}}{path}',timeout=5).read().decode())\n"
    )
    return host.python(program)


def _value(text: str, series: str) -> float | None:
    found = re.search(rf"^{re.escape(series)} ([0-9.eE+-]+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


@check(
    "I11",
    severity="high",
    why="what is not measured raises no alarm",
    remedy="serve /metrics in Prometheus' format, and name its series in [checks.metrics]",
    roles=("web",),
)
def test_the_app_serves_its_metrics(live: LiveStack, host: LiveHost) -> None:
    text = _metrics(live, host)
    assert re.search(r"^# TYPE \w+ (counter|gauge|histogram)", text, re.MULTILINE), "no metric has a type"


@check(
    "I11",
    severity="medium",
    why="the load balancer's numbers are the ones users feel",
    remedy="HAProxy's exporter listens on 127.0.0.1:8404 (slipway up)",
    roles=("edge", "web"),
)
def test_haproxy_serves_its_metrics(host: LiveHost) -> None:
    program = "import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1:8404/metrics',timeout=5).read(4000).decode())"
    assert "haproxy_" in host.python(program), "its exporter answers without a metric"


@check(
    "S10",
    "I10",
    severity="high",
    why="what waits too long is as good as lost",
    remedy="more worker hosts or instances; slipway logs --process worker",
)
def test_the_queue_is_short(live: LiveStack, hosts: Hosts) -> None:
    waiting = _of_the_stack(live, hosts, "queue")
    assert waiting <= WAITING, f"{waiting:g} jobs are waiting"


@check(
    "S10",
    severity="high",
    why="work that was given up is a promise that was broken in silence",
    remedy="look at the dead letters, mend the cause, and queue them again",
)
def test_nothing_was_given_up(live: LiveStack, hosts: Hosts) -> None:
    dead = _of_the_stack(live, hosts, "dead")
    assert dead == 0, f"{dead:g} jobs were given up"


@check(
    "S6",
    "S7",
    severity="high",
    why="a job that runs on two hosts runs twice; on none, never",
    remedy="slipway release makes one host the owner of the timers",
)
def test_every_cron_entry_has_one_owner(live: LiveStack, hosts: Hosts) -> None:
    if not live.app.cron:
        not_evaluated("the app has no [cron]")
    asked = "systemctl list-units --type=timer --state=active --plain --no-legend 'slipway-cron-*'"
    timers = hosts.each(lambda host: host.run(asked).split(), "web", "worker")
    for name in live.app.cron:
        owners = [host for host, units in timers.items() if f"slipway-cron-{name}.timer" in units]
        assert len(owners) == 1, f"{name} is run by {', '.join(owners) or 'no host'}"


@check(
    "S6",
    severity="medium",
    why="a cron entry that fails every time is noticed weeks later",
    remedy="slipway logs --process cron",
    roles=("web", "worker"),
)
def test_no_cron_entry_failed(host: LiveHost) -> None:
    asked = "systemctl show --value -p Id,Result 'slipway-cron-*.service' 2>/dev/null; true"
    words = [word for word in host.run(asked).split() if word]
    results = dict(zip(words[::2], words[1::2], strict=False))
    failed = [unit for unit, result in results.items() if result not in ("success",)]
    assert not failed, f"failed: {', '.join(failed)}"


@check(
    "S5",
    severity="high",
    why="a process that is killed in the middle drops requests and sockets",
    remedy="drain_seconds of the process in slipway.toml: at least its own shutdown window",
    roles=("web", "worker"),
)
def test_processes_get_time_to_leave(live: LiveStack, host: LiveHost) -> None:
    for name, process in live.app.on_role(host.role).items():
        asked = f"systemctl show --value -p TimeoutStopUSec 'slipway-{name}@*' | head -1"
        seconds = _seconds(host.run(asked).strip())
        assert seconds >= process.drain_seconds, (
            f"{name} is killed after {seconds:g} s, {process.drain_seconds} are declared"
        )


def _of_the_stack(live: LiveStack, hosts: Hosts, which: str) -> float:
    series = getattr(live.app.checks.metrics, which, "") if live.app.checks.metrics else ""
    if not series:
        not_evaluated(f"declare checks.metrics.{which} in slipway.toml")
    value = _value(_metrics(live, hosts.of("web")[0]), series)
    assert value is not None, f"the app's metrics have no {series}"
    return value


def _seconds(said: str) -> float:
    """systemd's `1min 30s` in seconds."""
    units = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(us|ms|min|s|h)", said))

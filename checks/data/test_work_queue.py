"""Metrics, the work queue and cron entries (S6, S7, S10, I10, I11)."""

from __future__ import annotations

import json
import re

import httpx

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, Hosts, name_of
from slipway.stack import LiveStack, Role

WAITING = 1000
"""The same limit as I10's alarm."""


def _metrics(live: LiveStack, host: Host) -> str:
    """The app's own metrics, from the first instance in the live slot of `host`."""
    if live.app.checks.metrics is None:
        not_evaluated("declare [checks.metrics] in slipway.toml")
    active = json.loads(host.file("/var/lib/slipway/state.json").content_string)["active"]
    environment = host.service(f"slipway-web@{active}-1").systemd_properties["Environment"].split()
    port = next(int(each.partition("=")[2]) for each in environment if each.startswith("PORT="))
    return _get_on(live, host, port, live.app.checks.metrics.path)


def _get_on(live: LiveStack, host: Host, port: int, path: str) -> str:
    """The answer to GET `path` on the loopback of `host`, through its ssh connection."""
    local = live.tunnel(name_of(host), "127.0.0.1", port)
    return httpx.get(f"http://127.0.0.1:{local}{path}", timeout=5).raise_for_status().text


def _value(text: str, series: str) -> float | None:
    found = re.search(rf"^{re.escape(series)} ([0-9.eE+-]+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


@check(
    "I11",
    severity="high",
    why="without metrics there are no alarms",
    remedy="serve /metrics in Prometheus' format, and name its series in [checks.metrics]",
    roles=("web",),
)
def test_the_app_serves_its_metrics(live: LiveStack, host: Host) -> None:
    text = _metrics(live, host)
    assert re.search(r"^# TYPE \w+ (counter|gauge|histogram)", text, re.MULTILINE), "no metric has a type"


@check(
    "I11",
    severity="medium",
    why="the load balancer's metrics show what users experience",
    remedy="HAProxy's exporter listens on 127.0.0.1:8404 (slipway up)",
    roles=("edge", "web"),
)
def test_haproxy_serves_its_metrics(live: LiveStack, host: Host) -> None:
    assert "haproxy_" in _get_on(live, host, 8404, "/metrics"), "its exporter answers without a metric"


@check(
    "S10",
    "I10",
    severity="high",
    why="a job that waits too long is as bad as a lost one",
    remedy="add worker hosts or instances; slipway logs --process worker shows errors",
)
def test_the_queue_is_short(live: LiveStack, hosts: Hosts) -> None:
    waiting = _of_the_stack(live, hosts, "queue")
    assert waiting <= WAITING, f"{waiting:g} jobs are waiting"


@check(
    "S10",
    severity="high",
    why="a job in the dead-letter queue is work that users expect and that was not done",
    remedy="look at the dead-letter queue, fix the cause, and queue the jobs again",
)
def test_the_dead_letter_queue_is_empty(live: LiveStack, hosts: Hosts) -> None:
    dead = _of_the_stack(live, hosts, "dead")
    assert dead == 0, f"{dead:g} jobs were given up"


@check(
    "S6",
    "S7",
    severity="high",
    why="an entry that two hosts run happens twice; one that no host runs never happens",
    remedy="slipway release makes one host the owner of the timers",
)
def test_every_cron_entry_has_one_owner(live: LiveStack, hosts: Hosts) -> None:
    if not live.app.cron:
        not_evaluated("the app has no [cron]")

    def timers(host: Host) -> list[str]:
        return [name for name in live.app.cron if host.service(f"slipway-cron-{name}.timer").is_running]

    running = hosts.each(timers, "web", "worker")
    for name in live.app.cron:
        owners = [host for host, names in running.items() if name in names]
        assert len(owners) == 1, f"{name} is run by {', '.join(owners) or 'no host'}"


@check(
    "S6",
    severity="medium",
    why="a failing cron entry is often noticed weeks later",
    remedy="slipway logs --process cron shows why",
    roles=("web", "worker"),
)
def test_no_cron_entry_failed(live: LiveStack, host: Host) -> None:
    units = [f"slipway-cron-{name}.service" for name in live.app.cron]
    results = {unit: host.service(unit).systemd_properties.get("Result", "success") for unit in units}
    failed = [unit for unit, result in results.items() if result != "success"]
    assert not failed, f"failed: {', '.join(failed)}"


@check(
    "S5",
    severity="high",
    why="a process that is killed before it drained drops requests and sockets",
    remedy="set drain_seconds of the process in slipway.toml to at least its own shutdown window",
    roles=("web", "worker"),
)
def test_processes_get_time_to_drain(live: LiveStack, role: Role, app_services: list[Host]) -> None:
    for name, process in live.app.on_role(role).items():
        units = [each for each in app_services if each.name.startswith(f"slipway-{name}@")]
        assert units, f"no unit of {name} is running"
        seconds = _seconds(units[0].systemd_properties["TimeoutStopUSec"])
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

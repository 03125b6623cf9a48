"""Metrics, the work queue and cron entries (S6, S7, S10, I10, I11)."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from itertools import pairwise

import httpx

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, Hosts, cron_services, live_slot, name_of
from checks.kit.roots import DATABASE
from checks.kit.site import Person, Site
from slipway.stack import LiveStack, Role

AGENT = "/usr/local/bin/slipway-agent"
GRACE_SECONDS = 60
WAITING = 1000
"""The same limit as I10's alarm."""


def _metrics(live: LiveStack, host: Host) -> str:
    """The app's own metrics, from the first instance in the live slot of `host`."""
    if live.app.checks.metrics is None:
        not_evaluated("declare [checks.metrics] in slipway.toml")
    environment = host.service(f"slipway-web@{live_slot(host)}-1").systemd_properties["Environment"].split()
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
    needs=("processes.web", "checks.metrics"),
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
    needs=("processes.web", "checks.metrics.queue"),
)
def test_the_queue_is_short(live: LiveStack, hosts: Hosts) -> None:
    waiting = _of_the_stack(live, hosts, "queue")
    assert waiting <= WAITING, f"{waiting:g} jobs are waiting"


@check(
    "S10",
    severity="high",
    why="a job in the dead-letter queue is work that users expect and that was not done",
    remedy="look at the dead-letter queue, fix the cause, and queue the jobs again",
    needs=("processes.web", "checks.metrics.dead"),
    ahead=True,
    stands_on=(DATABASE,),
)
def test_the_dead_letter_queue_is_empty(live: LiveStack, hosts: Hosts) -> None:
    given = live.app.checks.metrics.dead if live.app.checks.metrics else ""
    named = [given] if isinstance(given, str) else given
    if not all(named) or not named:
        not_evaluated("declare checks.metrics.dead in slipway.toml")
    dead = {series: _value(_metrics(live, hosts.of("web")[0]), series) for series in named}
    absent = [series for series, number in dead.items() if number is None]
    assert not absent, f"the app's metrics have no {', '.join(absent)}"
    found = [f"{number:g} ({series})" for series, number in dead.items() if number]
    assert not found, f"jobs were given up: {', '.join(found)}"


@check(
    "S10",
    "I10",
    severity="high",
    why="a queue may be short and yet hold one piece of work for days",
    remedy="slipway logs --process worker shows why it is not taken; for an outbox: which row is the oldest?",
    needs=("processes.web", "checks.metrics.oldest"),
    stands_on=(DATABASE,),
)
def test_no_work_waits_for_long(live: LiveStack, hosts: Hosts) -> None:
    oldest = _of_the_stack(live, hosts, "oldest")
    metrics = live.app.checks.metrics
    most = live.number(metrics.oldest_seconds if metrics else None) or 0
    assert oldest <= most, f"the oldest piece of work has waited {oldest:.0f} s, {most} s are the limit"


@check(
    "S10",
    "I4",
    severity="critical",
    why="accepted work that no process does is lost to the user who waits for it",
    remedy="slipway logs --process worker: does a worker run, is it stuck, does the outbox reach the queue?",
    needs=("smoke.steps", "checks.job", "checks.metrics.done"),
)
def test_work_that_is_queued_gets_done(live: LiveStack, hosts: Hosts, site: Site, person: Person) -> None:
    job = live.app.checks.job
    if job is None:
        not_evaluated("declare [checks.job] in slipway.toml")
    before = _of_the_stack(live, hosts, "done")
    mark = f"j{secrets.token_hex(6)}"
    with _record(site, person, mark, job.request) as record:
        caused = person.ask(job.request, {"n": mark, "id": record}, job.body)
        assert caused.status_code == job.status, f"{job.request} answers {caused.status_code}"
        ends = time.monotonic() + job.seconds
        while _of_the_stack(live, hosts, "done") <= before:
            assert time.monotonic() < ends, f"no job was done within {job.seconds:g} s of {job.request}"
            time.sleep(0.2)


@check(
    "S10",
    "I3",
    severity="critical",
    why="a stopped process is up for systemd, and does nothing",
    remedy="systemctl kill -s SIGCONT, or systemctl thaw; then find out who stopped it",
    roles=("web", "worker"),
)
def test_no_process_of_the_app_is_stopped(host: Host, app_services: list[Host]) -> None:
    for service in app_services:
        properties = service.systemd_properties
        frozen = properties.get("FreezerState", "running")
        assert frozen == "running", f"{service.name} is {frozen}"
        # testinfra has no module for control groups: children count too, wherever cgroups are mounted.
        found = host.check_output("grep -ls %s /proc/[0-9]*/cgroup || true", f"/{service.name}")
        tasks = ",".join(path.split("/")[2] for path in found.splitlines())
        assert tasks, f"{service.name} has no process"
        # One may have ended since.
        listed = host.run("ps -o stat=,comm= -p %s", tasks).stdout
        stopped = [line for line in listed.splitlines() if line.lstrip()[:1] in "TtZ"]
        assert not stopped, f"{service.name}: {', '.join(' '.join(line.split()) for line in stopped)}"


@check(
    "S6",
    "S7",
    severity="high",
    why="an entry that two hosts run happens twice; one that no host runs never happens",
    remedy="slipway release makes one host the owner of the timers",
    needs=("cron",),
    ahead=True,
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
    "S8",
    severity="high",
    why="a schedule changed on the host holds until the next release, and no one sees why",
    remedy="change the schedule in slipway.toml, and run slipway release; remove drop-ins of slipway-cron-*",
    needs=("cron",),
    ahead=True,
)
def test_cron_runs_what_was_released_when_it_was_released(live: LiveStack, hosts: Hosts) -> None:
    released = live.manifest(live.ledger.get(_live_release(live)).build).cron
    if not released:
        not_evaluated("the app has no [cron]")
    wrong: list[str] = []
    for name, entry in released.items():
        for host in _owners(hosts, name):
            # Not testinfra's systemd_properties: it keeps one line of each property.
            said = host.check_output(f"systemctl show slipway-cron-{name}.timer slipway-cron-{name}.service")
            wanted = _normal(host, entry.schedule)
            found = re.findall(r"^Timers\w+=\{ On\w+=([^;]+?) ;", said, re.MULTILINE)
            if found != [wanted]:
                wrong.append(f"{name} runs at {', '.join(found) or 'no time'} instead of {wanted}")
            if not re.search(rf"^Unit=slipway-cron-{name}\.service$", said, re.MULTILINE):
                wrong.append(f"the timer of {name} starts something else")
            argv = re.findall(r"^ExecStart\w*=.*argv\[\]=(.+?) ;", said, re.MULTILINE)
            if set(argv) != {f"{AGENT} cron {name}"}:
                wrong.append(f"{name} runs {', '.join(argv) or 'nothing'}")
    assert not wrong, "; ".join(wrong)


@check(
    "S6",
    "S7",
    severity="high",
    why="a timer that is active and never fires looks as if all were well",
    remedy="systemctl list-timers 'slipway-cron-*' on the owner host; restart the timer",
    needs=("cron",),
    ahead=True,
)
def test_every_cron_entry_ran_when_it_was_due(live: LiveStack, hosts: Hosts) -> None:
    if not live.app.cron:
        not_evaluated("the app has no [cron]")
    late: list[str] = []
    for name, entry in live.app.cron.items():
        for host in _owners(hosts, name):
            timer = host.service(f"slipway-cron-{name}.timer").systemd_properties
            now = float(host.check_output("date +%s"))
            every = _interval(host, entry.schedule)
            last = max(_stamp(host, timer, "LastTriggerUSec"), _stamp(host, timer, "ActiveEnterTimestamp"))
            # While a run is under way systemd has not planned the next one.
            waits = timer.get("SubState") != "running"
            ahead = _stamp(host, timer, "NextElapseUSecRealtime") - now if waits else None
            late += [f"{name} {each}" for each in lateness(now - last, ahead, every, entry.timeout_seconds)]
    assert not late, "; ".join(late)


def lateness(since: float, ahead: float | None, every: float, timeout: float) -> list[str]:
    """What is late of an entry that ran `since` seconds ago and runs next in `ahead`; None: it runs now."""
    late: list[str] = []
    if since > every + timeout + GRACE_SECONDS:
        late.append(f"has not run for {since:.0f} s, it is due every {every:.0f} s")
    if ahead is not None and not -GRACE_SECONDS <= ahead <= every + GRACE_SECONDS:
        late.append(f"runs next in {ahead:.0f} s, it is due every {every:.0f} s")
    return late


@check(
    "S6",
    severity="medium",
    why="a failing cron entry is often noticed weeks later",
    remedy="slipway logs --process cron shows why",
    roles=("web", "worker"),
    needs=("cron",),
    stands_on=(DATABASE,),
)
def test_no_cron_entry_failed(live: LiveStack, host: Host) -> None:
    units = cron_services(live)
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
def test_processes_get_time_to_drain(
    live: LiveStack, roles: tuple[Role, ...], live_services: list[Host]
) -> None:
    for name, process in live.app.on_role(*roles).items():
        units = [each for each in live_services if each.name.startswith(f"slipway-{name}@")]
        assert units, f"no unit of {name} is running"
        seconds = _seconds(units[0].systemd_properties["TimeoutStopUSec"])
        assert seconds >= process.drain_seconds, (
            f"{name} is killed after {seconds:g} s, {process.drain_seconds} are declared"
        )


@contextmanager
def _record(site: Site, person: Person, mark: str, request: str) -> Generator[str]:
    """The id of a record by `[checks.write]`, deleted at the end; empty if `request` does not name it."""
    write = site.live.app.checks.write
    if "${id}" not in request:
        yield ""
        return
    if write is None:
        not_evaluated("declare [checks.write] in slipway.toml: checks.job.request names its ${id}")
    answer = person.ask(write.request, {"n": mark}, write.body)
    assert answer.status_code == write.status, f"{write.request} answers {answer.status_code}"
    record = str(json.loads(answer.text).get("id", ""))
    try:
        yield record
    finally:
        if write.undo:
            person.ask(write.undo, {"id": record})


def _live_release(live: LiveStack) -> int:
    release = live.ledger.head().live
    if release is None:
        not_evaluated("nothing was released yet")
    return release


@cache
def _owners(hosts: Hosts, name: str) -> list[Host]:
    """The hosts whose timers run the cron entry `name`."""
    timer = f"slipway-cron-{name}.timer"
    running = hosts.each(lambda host: bool(host.service(timer).is_running), "web", "worker")
    return [hosts[host] for host, runs in running.items() if runs]


def _normal(host: Host, schedule: str) -> str:
    """A schedule as systemd writes it."""
    # testinfra has no module for systemd-analyze.
    said = host.check_output("systemd-analyze calendar %s", schedule)
    found = re.search(r"Normalized form: (.+)", said)
    return found[1].strip() if found else schedule


def _interval(host: Host, schedule: str) -> float:
    """The longest of the next few times between two runs, in seconds."""
    said = host.check_output("TZ=UTC systemd-analyze calendar --iterations=8 %s", schedule)
    times = re.findall(r"(?:Next elapse|Iteration #\d+|Iter\. #\d+): \w{3} (\S+ \S+) UTC", said)
    stamps = [datetime.strptime(f"{each} +0000", "%Y-%m-%d %H:%M:%S %z").timestamp() for each in times]
    return max((later - sooner for sooner, later in pairwise(stamps)), default=366 * 86_400.0)


def _stamp(host: Host, timer: dict[str, str], name: str) -> float:
    """A time of systemd's in seconds since 1970; 0 if there is none."""
    value = timer.get(name, "")
    return float(host.check_output("date -d %s +%%s", value)) if value and value != "n/a" else 0.0


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

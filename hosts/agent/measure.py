"""Measure: publish to CloudWatch how full the host is, and the app's queue: jobs that wait, jobs that failed.

A timer runs it once a minute on every host. All web hosts publish the same numbers of the queue, and the
alarms use the maximum, so any host may be missing. If the app exposes no queue, none is published; missing
data also raises that alarm.
"""

from __future__ import annotations

import http.client
import os
import re
from urllib.parse import urlencode

from .aws import Cloud
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import State

METRICS = {"waiting": "QueueWaiting", "failed": "QueueFailed"}
"""State of `<app>_queue_jobs{state="…"}` at /metrics → CloudWatch metric in namespace `slipway/<fleet>`."""
OWN = ("DiskUsedPercent", "MemoryUsedPercent")
"""The host's own metrics, in the same namespace, without dimensions: the alarms watch the fullest host."""
_SERIES = re.compile(r'^[a-z][a-z0-9_]*_queue_jobs\{state="(\w+)"\} ([0-9.e+]+)$', re.MULTILINE)
_SECRET = re.compile(r":secret:slipway/([^/]+)/([^/]+)/boot/")
_TIMEOUT = 5.0


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `measure`."""
    own = own_values()
    _publish(paths, host, own)
    live = State.load(paths).live
    if live is None or live.web is None:
        return {"told": own, "why": "nothing is live yet"}
    values = queue_values(_scrape(live.web.ports(live.name)[0], live.site))
    if values:
        _publish(paths, host, values)
    return {"told": {**own, **values}, "why": "" if values else "the app's /metrics names no queue"}


def own_values(root: str = "/", meminfo: str = "/proc/meminfo") -> dict[str, float]:
    """How full the host's disk and memory are, in percent, as processes that are not root see it."""
    disk = os.statvfs(root)
    used = disk.f_blocks - disk.f_bfree
    with open(meminfo) as file:
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in file}
    memory = 100 - 100 * sizes["MemAvailable"] / sizes["MemTotal"]
    return {OWN[0]: round(100 * used / (used + disk.f_bavail), 1), OWN[1]: round(memory, 1)}


def _publish(paths: Paths, host: Host, values: dict[str, float]) -> None:
    body = put_metric_data(f"slipway/{fleet(host.boot_secret)}", values)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = Cloud(paths, host.region).call("monitoring", "POST", "/", body, headers)
    if answer.status != 200:
        raise AgentError("cloud", f"PutMetricData: {answer.reason}")


def queue_values(metrics: str) -> dict[str, float]:
    """CloudWatch metric → value, from text in Prometheus format."""
    found = {state: float(value) for state, value in _SERIES.findall(metrics)}
    return {name: found[state] for state, name in METRICS.items() if state in found}


def put_metric_data(namespace: str, values: dict[str, float]) -> bytes:
    """The request body of CloudWatch's PutMetricData."""
    form = {"Action": "PutMetricData", "Version": "2010-08-01", "Namespace": namespace}
    for index, (name, value) in enumerate(values.items(), start=1):
        form[f"MetricData.member.{index}.MetricName"] = name
        form[f"MetricData.member.{index}.Value"] = f"{value:g}"
        form[f"MetricData.member.{index}.Unit"] = "Percent" if name in OWN else "Count"
    return urlencode(form).encode()


def fleet(boot_secret: str) -> str:
    """The fleet id, such as `board-prod`, from the ARN of the boot document."""
    found = _SECRET.search(boot_secret)
    if found is None:
        raise AgentError("not_set_up", f"not the ARN of a boot document: {boot_secret or 'nothing'}")
    return "-".join(found.groups())


def _scrape(port: int, site: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/metrics", headers={"Host": site, "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise AgentError("not_ready", f"the app's /metrics on port {port}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise AgentError("not_ready", f"the app's /metrics on port {port} answers {answer.status}")
    return text

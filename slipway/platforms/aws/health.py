"""Does the stack serve: does the load balancer find its hosts healthy, and does the site answer?"""

import shutil
import ssl
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from slipway.platforms.aws.discovery import STARTING
from slipway.platforms.aws.open import with_hosts
from slipway.platforms.aws.session import AwsSession
from slipway.platforms.aws.tunnel import PLUGIN, find_plugin
from slipway.platforms.diagnosis import Diagnosis, fail, ok, warn
from slipway.platforms.platform import Opened
from slipway.platforms.site_certificate import days_left
from slipway.progress import Progress
from slipway.settings import BadInput, Cloud, NeedsPerson, Outputs, Project

HEALTHY_SECONDS = 300
POLL_SECONDS = 3.0


def wait_for_targets(session: AwsSession, cloud: Cloud, outputs: Outputs, progress: Progress) -> None:
    """Return once every web host is healthy to the load balancer; NeedsPerson names those that are not."""
    names = {host.ssh_host: host.name for host in outputs.by_role("web")}
    ends = time.monotonic() + HEALTHY_SECONDS
    before: dict[str, str] = {}
    while True:
        sick = unhealthy(session, cloud, names)
        for name, why in sick.items():
            if before.get(name) != why:
                progress.host(name, why)
        if not sick:
            return
        if time.monotonic() > ends:
            raise NeedsPerson(
                f"the load balancer finds {', '.join(sick)} not healthy",
                details=[f"{name}: {why}" for name, why in sick.items()],
                remedy=f"slipway logs --stack {outputs.stack}, and slipway status",
            )
        before = sick
        time.sleep(POLL_SECONDS)


def unhealthy(session: AwsSession, cloud: Cloud, names: dict[str, str]) -> dict[str, str]:
    """By host name, what the load balancer has against it. `names` is by instance id."""
    found = session.call("elbv2", "describe_target_health", TargetGroupArn=cloud.target_group)
    states = {
        one["Target"]["Id"]: one.get("TargetHealth", {}) for one in found.get("TargetHealthDescriptions", [])
    }
    sick: dict[str, str] = {}
    for instance, name in names.items():
        state = states.get(instance)
        if state is None:
            sick[name] = "is not a target of the load balancer yet"
        elif state.get("State") != "healthy":
            why = state.get("Description") or state.get("Reason") or "no reason given"
            sick[name] = f"{state.get('State')}: {why}"
    return sick


def site_problem(outputs: Outputs) -> str | None:
    """Why the site cannot be reached over TLS from this machine; None if it can."""
    try:
        days_left(outputs)
    except ssl.SSLCertVerificationError as problem:
        return f"{outputs.url}: its certificate is not valid: {problem.verify_message}"
    except OSError as problem:
        return f"{urlsplit(outputs.url).hostname} cannot be reached from here: {problem}"
    return None


ARRIVAL_SECONDS = 900
ARRIVAL_POLL_SECONDS = 5.0


def wait_for_hosts(project: Project, outputs: Outputs, progress: Progress) -> Opened:
    """The outputs with all hosts, once none is still starting; NeedsPerson names those that never come."""
    ends = time.monotonic() + ARRIVAL_SECONDS
    reported: dict[str, str] = {}
    while True:
        opened = with_hosts(project, outputs)
        for name, why in opened.absent.items():
            if reported.get(name) != why:
                progress.host(name, why)
        reported = dict(opened.absent)
        starting = [name for name, why in opened.absent.items() if why.startswith(STARTING)]
        if not starting and opened.outputs.hosts:
            return opened
        if time.monotonic() > ends:
            late = ", ".join(starting) or "any host"
            raise NeedsPerson(
                f"{late} did not become ready within {ARRIVAL_SECONDS // 60} minutes",
                details=[f"{name}: {why}" for name, why in opened.absent.items()],
                remedy="the instance's system log in the EC2 console says how far its set-up came",
            )
        time.sleep(ARRIVAL_POLL_SECONDS)


def programs() -> Iterable[Diagnosis]:
    """The plugin reaches hosts, pulumi provisions, the aws command line signs in."""
    try:
        yield ok(f"{PLUGIN} {find_plugin()} is installed")
    except BadInput as problem:
        yield fail(problem.message, problem.remedy)
    if shutil.which("pulumi"):
        yield ok("pulumi is on PATH")
    else:
        yield warn(
            "pulumi is not on PATH: `slipway up` cannot change what exists, only set up what is there",
            "https://www.pulumi.com/docs/install/",
        )
    if shutil.which("aws") is None:
        yield warn("the aws command line is not on PATH: no `aws sso login` here", "pipx install awscli")

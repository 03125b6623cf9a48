"""Leave: a host that its Auto Scaling group terminates drains, then completes the group's lifecycle hook.

Every ten seconds a timer reads the host's target state from the metadata service. For `Terminated`, the app
in both slots gets its stop signal and its drain time: clients reconnect elsewhere, jobs are finished.
Nothing is started on this host again.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
"""

from __future__ import annotations

import sys
import time
from urllib.parse import urlencode

from . import haproxy, retire, systemd
from .aws import Cloud
from .cron import sync
from .cron_owner import step_down
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, State, interrupt_handover

HOOK = "leaving"
"""Lifecycle hook of every group (infra/aws/compute.py): termination waits for it."""
NOTICE_SECONDS = 10
"""Longest time until the host notices the group's decision: the interval of slipway-leave.timer."""
DEREGISTER_SECONDS = 15.0
"""Seconds during which new requests are still served: the group deregisters the host from the load balancer
first, and there is no notice when the last node of the load balancer has learned it."""


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `leave`."""
    try:
        cloud = Cloud(paths, host.region)
        return _leave(paths, host, cloud) if _wanted_state(cloud) == "Terminated" else {"leaving": False}
    except AgentError as error:
        _log(f"leaving: {error.message}")
        raise


def _leave(paths: Paths, host: Host, cloud: Cloud) -> dict[str, object]:
    begun = time.monotonic()
    if not State.load(paths).leaving:
        _begin(paths, host, cloud)
    slots = _stop_all(paths)
    for name in slots:
        retire.wait_until_stopped(name)
    _empty(paths, host, slots)
    completed = _complete(cloud, host)
    _log(f"drained; the group {'continues' if completed else 'does not wait for this host'}")
    return {
        "leaving": True,
        "slots": slots,
        "completed": completed,
        "drained_seconds": round(time.monotonic() - begun, 3),
    }


def _wanted_state(cloud: Cloud) -> str:
    try:
        return cloud.imds.get("meta-data/autoscaling/target-lifecycle-state").strip()
    except FileNotFoundError:
        return ""  # no group's
    except OSError as error:
        raise AgentError("cloud", str(error)) from error


def _begin(paths: Paths, host: Host, cloud: Cloud) -> None:
    """From here on no command starts anything on this host, and no cron entry runs."""
    _log("the Auto Scaling group terminates this host; it drains")
    interrupt_handover(paths, State.load(paths).order)
    with Exclusive(paths, "leave") as state:
        state.leaving, state.cron_kinds = True, []
        state.save()
        sync(paths, state)
    try:
        step_down(paths, host, cloud)
    except AgentError as error:
        _log(f"other hosts will take over its cron entries a little later: {error.message}")
    if host.serves:
        time.sleep(DEREGISTER_SECONDS)


def _stop_all(paths: Paths) -> list[str]:
    """Send the stop signals, also to the live slot; HAProxy routes to it as long as it answers."""
    with Exclusive(paths, "leave") as state:
        slots = [name for name, slot in state.slots.items() if slot.state != "empty"]
        state.handover = None
        for name in slots:
            if name != state.active:
                state.slots[name].become("draining")
        state.save()
        systemd.stop([unit for name in slots for unit in systemd.slot_units(name)], block=False)
    return slots


def _empty(paths: Paths, host: Host, slots: list[str]) -> None:
    if not slots:
        return
    with Exclusive(paths, "leave") as state:
        state.active = None
        state.save()
        if host.serves:
            haproxy.apply(paths, state)
        for name in slots:
            retire.empty(paths, host, state, name)


def _log(what: str) -> None:
    """Write to the journal. The answers of the unit go nowhere, because nearly all report no change."""
    print(what, file=sys.stderr, flush=True)


def _complete(cloud: Cloud, host: Host) -> bool:
    """Complete the lifecycle action. False: the group does not wait yet; the next run tries again."""
    form = {
        "Action": "CompleteLifecycleAction",
        "Version": "2011-01-01",
        "AutoScalingGroupName": host.group,
        "LifecycleHookName": HOOK,
        "InstanceId": cloud.imds.get("meta-data/instance-id").strip(),
        "LifecycleActionResult": "CONTINUE",
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = cloud.call("autoscaling", "POST", "/", urlencode(form).encode(), headers)
    if answer.status == 400 and b"No active Lifecycle Action" in answer.body:
        return False
    if answer.status != 200:
        raise AgentError("cloud", f"CompleteLifecycleAction: {answer.reason}")
    return True

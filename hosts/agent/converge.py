"""Converge: bring this host by itself to the release that the boot document says is live.

A timer asks once a minute, and the first time when the host starts. The document's fence is that of the
command which made the release live: while a newer command is at work here, its word counts.

While there is no document, nothing was ever released to the stack. Then a web host is ready for its first
release, and says so to the load balancer, or its group would replace it again and again.
"""

from __future__ import annotations

import sys
import time

from . import boot, cron_owner, haproxy, stage, switch
from .aws import Cloud
from .boot_document import BootDocument
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .state import Exclusive, State


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `converge`."""
    begun = time.monotonic()
    cron_owner.let_go_if_lapsed(paths)
    cloud = Cloud(paths, host.region)
    document = _document(cloud, host)
    _note(paths, host, unreleased=document is None)
    if document is None:
        return {"release": None, "changed": False, "why": "nothing is live yet"}
    state = State.load(paths)
    why = _nothing_to_do(document, state)
    if not why:
        why = _bring(paths, host, document, state)
    return {
        "release": document.release,
        "changed": not why,
        "why": why or "the boot document names another release",
        "cron": _look_after_cron(paths, host, cloud, document),
        "seconds": round(time.monotonic() - begun, 3),
    }


def _look_after_cron(paths: Paths, host: Host, cloud: Cloud, document: BootDocument) -> list[str]:
    """Kinds of entries that this host owns. That it could not look is no failure of the release's."""
    state = State.load(paths)
    try:
        if state.live and not state.leaving:
            cron_owner.look(paths, host, cloud, document)
    except AgentError as error:
        print(f"who owns the cron entries cannot be told: {error.message}", file=sys.stderr, flush=True)
    return State.load(paths).cron_kinds


def _document(cloud: Cloud, host: Host) -> BootDocument | None:
    if not host.boot_secret:
        raise AgentError("not_set_up", f"{host.name} has no boot document: only hosts on AWS have one")
    text = cloud.secret(host.boot_secret)
    document = BootDocument.parse(text) if text else None
    if document is None or not document.release:
        return None
    if document.role != host.role:
        raise AgentError(
            "bad_request", f"boot document: is for role {document.role}, this is a {host.role} host"
        )
    return document


def _note(paths: Paths, host: Host, *, unreleased: bool) -> None:
    """Have HAProxy answer the readiness check while there is nothing to be ready with, and no longer."""
    if not host.serves or State.load(paths).unreleased == unreleased:
        return
    with Exclusive(paths, "converge") as state:
        state.unreleased = unreleased
        state.save()
        haproxy.apply(paths, state)


def _nothing_to_do(document: BootDocument, state: State) -> str:
    if state.leaving:
        return "this host is leaving"
    if state.live is not None and state.live.release == document.release:
        return "serves it already"
    if document.fence < state.fence:
        return f"fence {document.fence} is older than {state.fence}: a newer command decides"
    return ""


def _bring(paths: Paths, host: Host, document: BootDocument, state: State) -> str:
    """Stage, boot and switch; a newer command that comes in between has the last word."""
    fence, release = document.fence, document.release
    held = state.holding(release)
    try:
        if held is None or held.state not in ("staged", "booted", "warm"):
            stage.command(paths, host, Fields({**document.stage.raw, "fence": fence}, "boot document"))
        boot.command(paths, host, Fields({"fence": fence, "release": release}, "converge"))
        moved = {"fence": fence, "release": release, "hold_seconds": document.hold_seconds}
        switch.command(paths, host, Fields(moved, "converge"))
    except AgentError as error:
        if error.code not in ("fenced", "leaving"):
            raise
        return error.message
    return ""

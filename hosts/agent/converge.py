"""Converge: bring this host by itself to the release that the boot document names as live.

A timer runs it once a minute, first when the host starts. The document's fence is that of the command which
made the release live; a command with a newer fence at work on this host takes precedence.

Without a document nothing was ever released to the stack. A web host then reports itself as ready to the load
balancer, because its Auto Scaling group would otherwise replace it again and again.
"""

from __future__ import annotations

import sys
import time

from . import boot, cron_owner, haproxy, stage, switch
from .aws import Cloud
from .boot_document import BootDocument
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, State, why_outranked


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `converge`."""
    begun = time.monotonic()
    cron_owner.let_go_if_lapsed(paths)
    cloud = Cloud(paths, host.region)
    document = _document(paths, cloud, host)
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
    """Kinds of entries that this host owns.

    A failure to look at the other hosts does not fail the release.
    """
    state = State.load(paths)
    try:
        if state.live and not state.leaving:
            cron_owner.look(paths, host, cloud, document.cron_kinds())
    except AgentError as error:
        print(f"cannot find out who owns the cron entries: {error.message}", file=sys.stderr, flush=True)
    return State.load(paths).cron_kinds


def _document(paths: Paths, cloud: Cloud, host: Host) -> BootDocument | None:
    if not host.boot_secret:
        raise AgentError("not_set_up", f"{host.name} has no boot document: only hosts on AWS have one")
    text = cloud.secret(host.boot_secret)
    document = BootDocument.parse(paths, host, text) if text else None
    if document is None or not document.release:
        return None
    if document.role not in host.roles:
        raise AgentError(
            "bad_request", f"boot document: is for role {document.role}, this is a {host.role} host"
        )
    return document


def _note(paths: Paths, host: Host, *, unreleased: bool) -> None:
    """Have HAProxy answer the readiness check only while nothing was ever released."""
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
    if document.order < state.order:
        return why_outranked(document.order, state.order)
    return ""


def _bring(paths: Paths, host: Host, document: BootDocument, state: State) -> str:
    """Stage, boot and switch. A newer command that comes in between takes precedence."""
    release, (fence, step) = document.release, document.order
    order = {"fence": fence, "step": step}
    held = state.holding(release)
    try:
        if held is None or held.state not in ("staged", "booted", "warm"):
            asked = JsonObject({**document.stage.raw, **order}, "boot document")
            stage.command(paths, host, asked, env_is_signed=True)
        boot.command(paths, host, JsonObject({**order, "release": release}, "converge"))
        moved = {**order, "release": release, "hold_seconds": document.hold_seconds}
        switch.command(paths, host, JsonObject(moved, "converge"))
    except AgentError as error:
        if error.code not in ("fenced", "leaving"):
            raise
        return error.message
    return ""

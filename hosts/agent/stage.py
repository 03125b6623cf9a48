"""Stage: put a release into the idle slot: layers, tree, environment, units. Nothing is started."""

from __future__ import annotations

import os
import re
import time

from . import accounts, builds, cron, durable, envfile, haproxy, image, layers, retire, signature, units
from .errors import AgentError
from .handover import finish_interrupted
from .host import Host, Paths
from .json_object import JsonObject
from .retire import drain
from .state import DRAIN_SECONDS, Exclusive, Process, Slot, State, order_of


def command(
    paths: Paths, host: Host, request: JsonObject, *, env_is_signed: bool = False
) -> dict[str, object]:
    """See docs/agent.md, `stage`. The slot's old release is drained last, when everything else is ready.

    `env_is_signed`: by what the request was read from; else the request itself has to prove it.
    """
    begun = time.monotonic()
    with Exclusive(paths, "stage", order_of(request), DRAIN_SECONDS) as state:
        finish_interrupted(paths, host, state)
        plan = _plan(host, state, request)
        manifest = request.section("manifest")
        signature.admit(paths, host, state, plan, manifest, request.section("ticket"))
        if not env_is_signed:
            signature.admit_env(paths, host, plan, request)
        _refuse_other_processor(host, manifest)
        wanted = [layers.Layer(fields) for fields in manifest.sections("layers")]
        held = state.slots[plan.name]
        same = (held.release, held.build, held.config) == (plan.release, plan.build, plan.config)
        answer: dict[str, object] = {"slot": plan.name, "drained_seconds": 0.0}
        is_there = same and held.state in ("staged", "booted") and os.path.isdir(paths.build(plan.build))
        if not is_there:
            _refuse_unfit(paths, host, plan)
        fetched = layers.fetch(paths, host.builds(), wanted)
        changed = builds.lay_out(paths, plan.build, [layer.digest for layer in wanted])
        if is_there:
            held.ticket = plan.ticket
            state.save()
            envfile.write_slot(paths, host, held, request.section("env"))
        else:
            _record(paths, plan.build, wanted)
            if held.state != "empty":
                answer["drained_seconds"] = drain(paths, host, state, plan.name)
            _install(paths, host, state, plan, request.section("env"))
        answer |= {"downloaded": fetched.downloaded, "reused": fetched.reused, "bytes": fetched.bytes}
        answer["altered"] = (fetched.altered or changed)[: builds.MOST_NAMED]
        return {**answer, "seconds": round(time.monotonic() - begun, 3)}


def _refuse_other_processor(host: Host, manifest: JsonObject) -> None:
    """Native code of another processor would fail only when it is started."""
    arch = manifest.text("arch", host.arch)
    if arch != host.arch:
        raise AgentError(
            "wrong_processor",
            f"the build is for {arch}, this host's processor is {host.arch}",
            detail={"build": arch, "host": host.arch},
        )


def _plan(host: Host, state: State, request: JsonObject) -> Slot:
    """The record that the slot will have."""
    name = request.text("slot", state.idle)
    if name not in state.slots:
        raise AgentError("bad_request", f"slot: must be blue or green, got {name!r}")
    if name == state.active:
        raise AgentError("is_live", f"slot {name} serves release {state.slots[name].release}")
    return read_plan(name, host.roles, request, host.site)


def read_plan(name: str, roles: list[str], request: JsonObject, site: str = "") -> Slot:
    """What `request` has slot `name` of a host of `roles` hold. Raises `bad_request` for unsafe values."""
    plan = Slot(name)
    plan.release = request.whole("release")
    plan.build = request.text("build")
    plan.config = request.line("config", "")
    plan.site = request.line("site", site)
    plan.secret_names = request.texts("secret_names") or envfile.likely_secrets(request.section("env"))
    manifest = request.section("manifest")
    processes = {name: Process(name, fields) for name, fields in manifest.table("processes").items()}
    plan.processes = {name: process for name, process in processes.items() if process.role in roles}
    plan.cron = {name: dict(fields.raw) for name, fields in manifest.table("cron").items()}
    plan.migrate = dict(manifest.section("migrate").raw)
    plan.image = dict(manifest.section("image").raw)
    image.Image("", manifest.section("image")).check()
    for word in (plan.build, *processes, *plan.cron):
        if not re.fullmatch(r"[a-z][a-z0-9-]*", word):
            raise AgentError("bad_request", f"{word!r} is not a valid name: must match [a-z][a-z0-9-]*")
    for process in processes.values():
        process.check()
    for entry, fields in plan.cron.items():
        cron.check_entry(entry, fields)
    return plan


def _refuse_unfit(paths: Paths, host: Host, plan: Slot) -> None:
    """Refuse what would fail later: invalid schedules, more instances than HAProxy has servers."""
    cron.check(plan)
    if host.serves and plan.web:
        servers = len(haproxy.servers(haproxy.stat(paths), plan.name))
        if servers < plan.web.instances:
            raise AgentError(
                "setup_outdated",
                f"the release wants {plan.web.instances} web instances, HAProxy on {host.name} knows "
                f"{servers}: run `slipway up`",
            )


def _record(paths: Paths, build: str, wanted: list[layers.Layer]) -> None:
    """Record a build's layers beside its tree, for `prune`; the file's date is that of the last staging."""
    names = "".join(f"{layer.digest}\n" for layer in wanted)
    durable.write(f"{paths.build(build)}.layers", names.encode(), 0o644, sync=False)


def _install(paths: Paths, host: Host, state: State, plan: Slot, env: JsonObject) -> None:
    """Write the slot's files; the slot is staged when all of them are there."""
    plan.staged = time.time()
    state.slots[plan.name] = plan
    state.save()
    os.makedirs(paths.slots, mode=0o755, exist_ok=True)
    link = f"{paths.slot(plan.name)}.new"
    durable.unlink(link)
    os.symlink(f"../builds/{plan.build}", link)
    os.rename(link, paths.slot(plan.name))
    envfile.write_slot(paths, host, plan, env)
    accounts.ensure({*plan.processes, *env.raw})
    units.write_slot(paths, plan)
    retire.ensure_timer(paths)
    if host.serves:
        haproxy.apply(paths, state)
    plan.become("staged")
    state.save()

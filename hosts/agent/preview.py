"""Previews: throw-away copies of an app on one host, each apart from the others.

`list`, `begin`, `open` and `close` are the request's `action`. A record says what a preview is before
anything is made for it: whatever cuts a command off, `list` shows the preview and `close` removes it all.
"""

from __future__ import annotations

import os
import re
import threading
import time

from . import (
    accounts,
    builds,
    credentials,
    durable,
    envfile,
    layers,
    preview_data,
    preview_edge,
    run,
    signature,
    smoke,
    stage,
    systemd,
    units,
)
from .errors import AgentError, Interrupted
from .host import Host, Paths
from .json_object import JsonObject
from .preview_close import close, prune, restore, tidy, units_of
from .preview_record import TASKS, Locked, Preview, PreviewPaths, check_name, every, load, new
from .ready import start_ready
from .state import Process, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIGNED_FOR = "slipway-preview"
"""What a signature is for; one that was made for anything else does not verify."""
_UNSIGNED = ("action", "name", "manifest", "signer", "signature")
"""Fields of the request to open one that the statement has otherwise, or that are about the signature."""


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """Carry out the request's `action`. Raises `no_previews` on a host that was not set up for them."""
    ours = PreviewPaths(paths.root)
    ours.refuse_unless_ready()
    action = request.text("action")
    if action == "list":
        return {"now": time.time(), "previews": [_seen(preview) for preview in every(ours)]}
    if action == "restore":
        return restore(ours)
    if action == "tidy":
        return tidy(ours, request)
    name = check_name(request.text("name"))
    if action == "begin":
        return begin(ours, name, request)
    if action == "open":
        return open_it(ours, host, name, request)
    if action == "close":
        return close(ours, name, request)
    raise AgentError("bad_request", f"action: {action!r} is none of list, begin, open, close, tidy, restore")


def statement(*, stack: str, preview: str, build: str, given: Mapping[str, object]) -> bytes:
    """What a preview's signature is over. `stack` is the fleet's id.

    `given` is the request to open it: the nonce of its life, env, seed and services. The build's id stands
    for the manifest.
    """
    asked = {name: value for name, value in given.items() if name not in _UNSIGNED and value is not None}
    return signature.canonical(
        {"schema": 2, "stack": stack, "preview": preview, "build": build, "asked": asked}
    )


def _seen(preview: Preview) -> dict[str, object]:
    """The record, and whether its units run."""
    names = units_of(preview)
    found = systemd.show(names) if names else {}
    down = sorted(name for name, each in found.items() if each.active != "active")
    return {**preview.to_json(), "down": down if preview.state == "open" else []}


def begin(paths: PreviewPaths, name: str, request: JsonObject) -> dict[str, object]:
    """Record what is about to be made. Builds and layers that are recorded are kept in the bucket."""
    with Locked(paths, name):
        preview = load(paths, name)
        fresh = preview is None
        if preview is None:
            preview = new(paths, name)
        elif preview.state == "closing":
            raise AgentError("closing", f"preview {name} was not closed to its end: close it first")
        preview.url = request.text("url")
        preview.builds[request.text("build")] = request.texts("layers")
        preview.save(paths, step="publish")
        return {
            "fresh": fresh,
            "number": preview.number,
            "nonce": preview.nonce,
            "ports": [preview.port(offset) for offset in range(3)],
        }


def open_it(paths: PreviewPaths, host: Host, name: str, request: JsonObject) -> dict[str, object]:
    """Everything from the layers to the edge; the preview then answers at its URL."""
    begun = time.monotonic()
    with Locked(paths, name):
        preview = load(paths, name)
        if preview is None or preview.nonce != request.text("nonce"):
            raise AgentError("not_begun", f"preview {name} was closed meanwhile")
        manifest = request.section("manifest")
        _admit(paths, host, preview, manifest, request)
        try:
            seconds = _open(paths, host, preview, manifest, request)
        except (AgentError, Interrupted) as error:
            if preview.state != "open":
                preview.state = "failed"
            brief = error.brief() if isinstance(error, AgentError) else {"message": "interrupted"}
            preview.error = {**brief, "step": preview.step}
            preview.save(paths, step=preview.step)
            raise
        prune(paths)
        seconds["all"] = round(time.monotonic() - begun, 3)
        return {"seconds": seconds}


def _admit(
    paths: PreviewPaths, host: Host, preview: Preview, manifest: JsonObject, request: JsonObject
) -> None:
    """Nothing runs that was not signed for this preview. Raises `unsigned`."""
    build = request.text("build")
    content = statement(stack=host.fleet, preview=preview.name, build=build, given=request.raw)
    signed = signature.manifest_id(manifest.raw) == build and signature.verifies(
        paths, content, request.text("signature"), request.text("signer"), SIGNED_FOR
    )
    if not signed:
        raise AgentError(
            "unsigned",
            f"build {build[:13]} and its environment are not signed for preview {preview.name} by a key that "
            "this host knows",
        )


class OwnProcess(Process):
    """A process under the preview's own name, port and account, with one instance."""

    def __init__(self, preview: Preview, process: Process) -> None:
        super().__init__(process.name, JsonObject(process.to_json(), process.name))
        self.web = process.name == "web"
        self.name = preview.scope(process.name)
        self.instances = 1
        self.port = preview.port(0)

    def ports(self, slot: str) -> list[int]:
        """The web process has one."""
        del slot
        return [self.port] if self.web else []


class Beside:
    """`work`, begun at once, in a thread."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as failure:
            self._failure = failure

    def wait(self) -> None:
        """Return when it has ended, however; an interruption waits for that too."""
        try:
            self._thread.join()
        finally:
            self._thread.join()

    def refuse_failure(self) -> None:
        """Raise what it raised."""
        if self._failure:
            raise self._failure


class Steps:
    """How long each step took; the record says which one is under way."""

    def __init__(self, paths: PreviewPaths, preview: Preview) -> None:
        self.seconds: dict[str, float] = {}
        self._paths, self._preview = paths, preview
        self._begun = 0.0

    def begin(self, step: str) -> None:
        """End the step before, and begin `step`; the empty one ends the last."""
        if self._preview.step in self.seconds:
            self.seconds[self._preview.step] = round(time.monotonic() - self._begun, 3)
        self._begun = time.monotonic()
        if step:
            self.seconds[step] = 0.0
        self._preview.save(self._paths, step=step)


def _open(
    paths: PreviewPaths, host: Host, preview: Preview, manifest: JsonObject, request: JsonObject
) -> dict[str, float]:
    steps = Steps(paths, preview)
    slot = _plan(preview, request)
    preview.uploads = request.strings("shared_uploads")
    # Neither needs the other: the database and servers come up while the layers are unpacked.
    data = Beside(lambda: preview_data.make(paths, preview, request))
    try:
        steps.begin("stage")
        wanted = [layers.Layer(fields) for fields in manifest.sections("layers")]
        layers.fetch(paths, host.builds(), wanted)
        builds.lay_out(paths, slot.build, [layer.digest for layer in wanted])
        accounts.ensure(preview.scopes)
    finally:
        data.wait()  # also after a failure: what follows may be a close
    steps.begin("data")
    data.refuse_failure()
    # One-offs run the new build while the old one still serves: it has a link of its own.
    coming = Slot(f"{preview.name}.new", JsonObject(slot.to_json(), "slot"))
    coming.processes = dict.fromkeys(preview.scopes, next(iter(slot.processes.values())))
    try:
        _install(paths, host, preview, coming, request)
        steps.begin("migrate")
        _migrate(paths, host, preview, coming)
        steps.begin("seed")
        _seed(paths, host, preview, coming, request)
        steps.begin("start")
        preview.build = slot.build
        preview.save(paths, step="start")
        _install(paths, host, preview, slot, request)
        _start(paths, preview, slot)
    finally:
        durable.unlink(paths.slot(coming.name))
        envfile.remove_slot(paths, coming.name)
        layers.delete(f"{paths.homes}/{coming.name}")
    steps.begin("smoke")
    _smoke(paths, preview, slot, request)
    steps.begin("edge")
    preview_edge.route(paths, request.text("site"), preview.port(0), paths.sites_map)
    if request.has("uploads"):
        preview_edge.route(paths, request.text("uploads_site"), preview.port(2), paths.uploads_map)
    preview.builds = {slot.build: preview.builds[slot.build]}
    preview.state, preview.error, preview.updated = "open", {}, time.time()
    steps.begin("")
    return steps.seconds


def _plan(preview: Preview, request: JsonObject) -> Slot:
    """The processes that the preview will have, under its own names."""
    slot = stage.read_plan(preview.name, ["web", "worker"], JsonObject({**request.raw, "release": 0}, "open"))
    own: dict[str, Process] = {
        preview.scope(process.name): OwnProcess(preview, process) for process in slot.processes.values()
    }
    slot.processes = own
    preview.scopes = sorted({*own, *(preview.scope(task) for task in TASKS)})
    return slot


def _install(paths: PreviewPaths, host: Host, preview: Preview, slot: Slot, request: JsonObject) -> None:
    """Have `slot` lead to its build, with the env of the request."""
    _link(paths, slot.name, slot.build)
    _write_env(paths, host, preview, slot, request)


def _link(paths: PreviewPaths, name: str, build: str) -> None:
    os.makedirs(paths.slots, mode=0o755, exist_ok=True)
    link = f"{paths.slot(name)}.link"
    durable.unlink(link)
    os.symlink(f"../builds/{build}", link)
    os.rename(link, paths.slot(name))


def _write_env(paths: PreviewPaths, host: Host, preview: Preview, slot: Slot, request: JsonObject) -> None:
    """One 0600 file for each scope, as root; the web process' port is in its file."""
    envfile.remove_slot(paths, slot.name)
    os.makedirs(f"{paths.env}/{slot.name}", mode=0o700)
    os.chmod(paths.env, 0o700)
    env = request.section("env")
    for scope in env.raw:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", scope):
            raise AgentError("bad_request", f"env: {scope!r} is not the name of a process or scope")
        values = {key: value for key, value in env.strings(scope).items() if key not in envfile.RESERVED}
        values |= {"SLIPWAY_BUILD": slot.build, "SLIPWAY_HOST": host.name, "SLIPWAY_SLOT": preview.name}
        if preview.uploads and scope != "migrate":
            values |= credentials.environment(paths, host, preview)
        if scope == "web":
            values |= {"PORT": str(preview.port(0)), "HOST": "127.0.0.1"}
        path = paths.env_file(slot.name, preview.scope(scope))
        durable.write(path, envfile.render(values), 0o600, sync=False)


def _migrate(paths: PreviewPaths, host: Host, preview: Preview, slot: Slot) -> None:
    migrate = JsonObject(slot.migrate, "migrate")
    if migrate.has("command"):
        timeout = migrate.number("timeout_seconds", 600)
        wanted = migrate.text("command"), migrate.text("directory", ".")
        _run(paths, host, preview, slot, "migrate", "migrate", *wanted, timeout)


def _seed(paths: PreviewPaths, host: Host, preview: Preview, slot: Slot, request: JsonObject) -> None:
    """Once in the life of a preview; a seed that failed runs again."""
    seed = request.text("seed", "")
    if seed and not preview.seeded:
        _run(paths, host, preview, slot, "seed", "task", seed, ".", request.number("seed_seconds", 600))
        preview.seeded = True


def _run(
    paths: PreviewPaths, host: Host, preview: Preview, slot: Slot, what: str, scope: str, words: str,
    directory: str, timeout: float,
) -> None:  # fmt: skip
    ended = run.one_off(
        paths,
        host,
        slot,
        scope=preview.scope(scope),
        argv=run.command_words(paths, slot, words),
        extra={},
        timeout=timeout,
        directory=directory,
    )
    if ended["exit"] != 0:
        tail = JsonObject(ended, what).texts("tail")
        raise AgentError(what, f"the {what} command ended with exit code {ended['exit']}", log=tail)


def _start(paths: PreviewPaths, preview: Preview, slot: Slot) -> None:
    """Stop what runs, then start the new build: a preview is away for the seconds between."""
    systemd.stop(units_of(preview))
    units.write_slot(paths, slot)
    start_ready(paths, slot, list(slot.processes.values()))


def _smoke(paths: PreviewPaths, preview: Preview, slot: Slot, request: JsonObject) -> None:
    """The build's own smoke steps, before the edge leads to a new preview. Raises `smoke_failed`."""
    if request.has("smoke"):
        site, address = preview.url.partition("://")[2], smoke.loopback(preview.name)
        smoke.attempt(preview.port(0), address, site, request.section("smoke"), envfile.secrets(paths, slot))

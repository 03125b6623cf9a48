"""Nothing is staged, started or switched to that was not signed for this stack; with real keys and manifests.

The thief of each test can write the builds bucket: layers, manifests, records, the head. It has no key.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hosts.agent import boot, builds, converge, main, signature, stage, switch
from hosts.agent.aws import Cloud
from hosts.agent.errors import AgentError
from hosts.agent.state import State
from tests.unit.agent.conftest import WEB, World, env_ticket

real_verifies, real_manifest_id = signature.verifies, signature.manifest_id
STACK = "board-prod"


@dataclass
class Key:
    """A signer's key."""

    path: Path
    name: str

    @classmethod
    def make(cls, folder: Path, name: str) -> Key:
        path = folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return cls(path, f"{name}@example.com")

    def line(self, options: str = "") -> str:
        public = self.path.with_name(f"{self.path.name}.pub").read_text().strip()
        return f'{self.name} namespaces="slipway-*"{options} {public}\n'

    def sign(self, content: bytes, namespace: str = signature.RELEASE) -> dict[str, str]:
        done = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.path],
            input=content, capture_output=True, check=True,
        )  # fmt: skip
        return {"signer": self.name, "signature": done.stdout.decode()}


def manifest_of(command: str = "serve") -> dict[str, Any]:
    return {"schema": 3, "layers": [], "processes": {"web": {**WEB, "command": command}}, "cron": {}}


def ticket(key: Key, release: int, build: str, **changes: Any) -> dict[str, Any]:
    decided: dict[str, Any] = {
        "stack": STACK,
        "release": release,
        "build": build,
        "record": release,
        "fence": release,
        "floor": 0,
        **changes,
    }
    signed = key.sign(signature.statement(**decided))
    return {"record": decided["record"], "fence": decided["fence"], "floor": decided["floor"], **signed}


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return Key.make(tmp_path, "ana")


def answers(*_: object) -> tuple[str, float]:
    return "200", 1.0


@pytest.fixture
def host(world: World, key: Key, monkeypatch: pytest.MonkeyPatch) -> World:
    """A host of board-prod that trusts `key`."""
    monkeypatch.setattr(signature, "verifies", real_verifies)
    monkeypatch.setattr(signature, "manifest_id", real_manifest_id)
    monkeypatch.setattr("hosts.agent.ready.probe", answers)
    facts = json.loads(Path(world.paths.host).read_text())
    Path(world.paths.host).write_text(json.dumps({**facts, "fleet": STACK}))
    Path(world.paths.signers).write_text(key.line())
    return world


ENV = {"web": {"DATABASE_URL": "postgres://app:pw@data1/board"}, "task": {}, "cron": {}}


def asked_for(
    release: int, key: Key, command: str = "serve", *, env: Any = ENV, signed: Any = None
) -> dict[str, Any]:
    """A request of `stage`, without the release's own ticket, with an env that `key` signed."""
    manifest = manifest_of(command)
    build = signature.manifest_id(manifest)
    asked = {"fence": 20, "release": release, "build": build, "config": "c", "env": env, "site": "app.test"}
    asked |= {"manifest": manifest, "secret_names": ["DATABASE_URL"]}
    wanted = {name: asked[name] for name in ("release", "build", "fence", "config", "site", "secret_names")}
    shown = env_ticket(asked)
    decided: dict[str, Any] = {"stack": STACK, **wanted, "digests": shown["digests"], **(signed or {})}
    content = signature.env_statement(**decided)
    return {**asked, "env_ticket": {**shown, **key.sign(content, signature.ENV)}}


def staged(
    host: World, release: int, given: dict[str, Any] | None, command: str = "serve", *, by: Key | None = None,
    **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    by = by or Key(host.root / "ana", "ana@example.com")
    return host.ask(stage.command, **{**asked_for(release, by, command), "ticket": given, **changes})


def signed(key: Key, release: int, command: str = "serve", **changes: Any) -> dict[str, Any]:
    return ticket(key, release, signature.manifest_id(manifest_of(command)), **changes)


def refused(code: str, ask: Any, *arguments: Any, **named: Any) -> None:
    with pytest.raises(AgentError) as error:
        ask(*arguments, **named)
    assert error.value.code == code, error.value.message


def test_what_is_signed_is_staged_started_and_switched_to(host: World, key: Key):
    assert staged(host, 1, signed(key, 1))["slot"] == "blue"
    host.ask(boot.command, fence=20, release=1)
    assert host.ask(switch.command, fence=20, release=1)["to"] == 1


def test_an_unsigned_release_is_refused(host: World):
    refused("unsigned", staged, host, 1, None)
    assert host.state.slots["blue"].state == "empty"


def test_a_release_signed_by_a_strangers_key_is_refused(host: World, key: Key, tmp_path: Path):
    thief = Key.make(tmp_path, "thief")
    refused("unsigned", staged, host, 1, signed(thief, 1))
    thief.name = key.name
    refused("unsigned", staged, host, 1, signed(thief, 1))


def test_a_release_signed_for_another_stack_is_refused(host: World, key: Key):
    refused("unsigned", staged, host, 1, signed(key, 1, stack="board-preview"))


def test_a_release_with_another_number_than_was_signed_is_refused(host: World, key: Key):
    refused("unsigned", staged, host, 2, signed(key, 1))


def test_a_manifest_that_was_swapped_under_a_signed_id_is_refused(host: World, key: Key):
    """`builds/<id>.json` was overwritten: the id is signed, the content is the thief's."""
    refused("unsigned", staged, host, 1, signed(key, 1), manifest=manifest_of("steal"))


def test_a_signature_made_for_something_else_is_refused(host: World, key: Key):
    """The same key signs approvals, builds and boot documents; none of these lets a release run."""
    build = signature.manifest_id(manifest_of())
    decided: dict[str, Any] = {"record": 1, "fence": 1, "floor": 0}
    content = signature.statement(stack=STACK, release=1, build=build, **decided)
    refused("unsigned", staged, host, 1, {**decided, **key.sign(content, signature.BOOT)})


def test_a_fence_or_floor_that_was_not_signed_is_refused(host: World, key: Key):
    for changes in ({"fence": 99}, {"floor": 1}, {"record": 7}):
        refused("unsigned", staged, host, 1, signed(key, 1) | changes)


def test_an_expired_key_signs_nothing_and_several_keys_may_stand(host: World, key: Key, tmp_path: Path):
    newer = Key.make(tmp_path, "newer")
    Path(host.paths.signers).write_text(key.line(',valid-before="20200101"') + newer.line())
    refused("unsigned", staged, host, 1, signed(key, 1))
    refused("unsigned", staged, host, 1, signed(newer, 1))
    assert staged(host, 1, signed(newer, 1), by=newer)["slot"] == "blue"


def test_a_key_taken_out_after_staging_starts_nothing(host: World, key: Key, tmp_path: Path):
    staged(host, 1, signed(key, 1))
    Path(host.paths.signers).write_text(Key.make(tmp_path, "newer").line())
    refused("unsigned", host.ask, boot.command, fence=20, release=1)


def go_live(host: World, key: Key, release: int, **changes: Any) -> None:
    staged(host, release, signed(key, release, f"serve {release}", **changes), f"serve {release}")
    host.ask(boot.command, fence=20, release=release)
    host.ask(switch.command, fence=20, release=release)


def test_an_old_release_that_was_signed_once_is_not_brought_back(host: World, key: Key):
    """The head names release 1 again, with its record as it was: a known hole would be open once more."""
    go_live(host, key, 1)
    go_live(host, key, 2, floor=1)
    host.ask(builds.prune, keep=5, promoted=2)
    refused("outdated", host.ask, switch.command, fence=20, release=1, back=True)
    assert host.state.live and host.state.live.release == 2
    go_live(host, key, 3, floor=2)
    refused("outdated", staged, host, 1, signed(key, 1, "serve 1"), "serve 1")


def test_a_release_that_fails_is_undone_although_it_was_signed_later(host: World, key: Key):
    go_live(host, key, 1)
    go_live(host, key, 2, floor=1)
    assert host.ask(switch.command, fence=20, release=1, back=True)["to"] == 1


def test_a_rollback_is_signed_as_such(host: World, key: Key):
    go_live(host, key, 1)
    go_live(host, key, 2, floor=1)
    host.ask(builds.prune, keep=5, promoted=2)
    again = signed(key, 1, "serve 1", record=3, fence=3, floor=2)
    assert host.ask(switch.command, fence=20, release=1, ticket=again, back=True)["to"] == 1
    assert host.ask(switch.command, fence=20, release=2, back=True)["to"] == 2, "and it can be undone"


def test_a_late_prune_for_an_earlier_release_does_not_bar_the_undo_of_a_later(host: World, key: Key):
    go_live(host, key, 1)
    go_live(host, key, 2, floor=1)
    host.ask(builds.prune, keep=5, promoted=1)
    assert host.ask(switch.command, fence=20, release=1, back=True)["to"] == 1


@pytest.mark.parametrize("wrong", ["", "stranger", "stack", "changed"])
def test_a_boot_document_that_is_not_signed_for_this_stack_starts_nothing(
    wrong: str, host: World, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    manifest = manifest_of()
    asked: dict[str, Any] = {
        "release": 1,
        "build": signature.manifest_id(manifest),
        "manifest": manifest,
        "env": {"web": {}},
    }
    stack = "board-preview" if wrong == "stack" else STACK
    document: dict[str, Any] = {
        "schema": 2,
        "stack": stack,
        "role": "web",
        "fence": 3,
        "stage": {**asked, "ticket": signed(key, 1)},
    }
    content = json.dumps(document)
    by = Key.make(tmp_path, "thief") if wrong == "stranger" else key
    text = json.dumps({**by.sign(content.encode(), signature.BOOT), "document": content})
    if wrong == "changed":
        text = text.replace('\\"web\\": {}', '\\"web\\": {\\"NODE_OPTIONS\\": \\"--require=/tmp/x\\"}')
    facts = json.loads(Path(host.paths.host).read_text())
    Path(host.paths.host).write_text(json.dumps({**facts, "cloud": {"region": "x", "boot_secret": "arn"}}))

    def secret(*_: object) -> str:
        return text

    def look(*_: object) -> None: ...

    monkeypatch.setattr(Cloud, "secret", secret)
    monkeypatch.setattr("hosts.agent.cron_owner.look", look)
    if wrong:
        refused("unsigned", host.ask, converge.command)
        assert host.state.live is None
    else:
        assert host.ask(converge.command)["changed"]


# the environment

EVIL = {**ENV, "web": {"LD_PRELOAD": "/tmp/evil.so", "DATABASE_URL": "postgres://thief/"}}


def refused_env(host: World, key: Key, asked: dict[str, Any]) -> str:
    with pytest.raises(AgentError) as error:
        host.ask(stage.command, **asked, ticket=signed(key, 1))
    assert error.value.code == "unsigned"
    assert host.state.slots["blue"].state == "empty"
    assert not Path(host.paths.env).exists()
    return error.value.message


def test_a_signed_release_with_another_environment_is_refused(host: World, key: Key):
    """All that CI's ssh key and the builds bucket give: the release's own ticket, manifest and layers."""
    asked = {**asked_for(1, key), "env": EVIL}
    assert "the environment of web is not the one that ana@example.com signed" in refused_env(
        host, key, asked
    )
    del asked["env_ticket"]
    assert "is not signed for stack board-prod and fence 20" in refused_env(
        host, key, {**asked, "env_ticket": None}
    )
    refused_env(host, key, {**asked, "env_ticket": env_ticket(asked)})


def test_an_environment_that_a_stranger_signed_is_refused(host: World, key: Key, tmp_path: Path):
    thief = Key.make(tmp_path, "thief")
    refused_env(host, key, asked_for(1, thief, env=EVIL))
    refused_env(host, key, asked_for(1, Key(thief.path, key.name), env=EVIL))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("release", 2),
        ("stack", "board-preview"),
        ("build", "b" + "0" * 64),
        ("fence", 19),
        ("config", "d"),
        ("site", "thief.test"),
        ("secret_names", []),
    ],
)
def test_an_environment_that_was_signed_for_something_else_is_refused(
    name: str, value: Any, host: World, key: Key
):
    """That of an earlier command too, which may hold a secret that was rotated since; and what logs hide."""
    refused_env(host, key, asked_for(1, key, signed={name: value}))


def test_a_scope_that_is_left_out_added_or_swapped_is_refused(host: World, key: Key):
    asked = asked_for(1, key)
    refused_env(host, key, {**asked, "env": {**ENV, "migrate": ENV["web"]}})
    refused_env(host, key, {**asked, "env": {**ENV, "web": ENV["task"], "task": ENV["web"]}})
    refused_env(host, key, {**asked, "env": {"task": {}}})


def test_an_environment_is_signed_for_one_command_and_staging_it_again_in_that_is_fine(host: World, key: Key):
    asked = {**asked_for(1, key), "ticket": signed(key, 1)}
    for _ in range(2):
        host.ask(stage.command, **asked)
    host.ask(boot.command, fence=21, release=1)
    refused("fenced", host.ask, stage.command, **asked)
    refused("unsigned", host.ask, stage.command, **{**asked, "fence": 21})


@pytest.fixture
def agent(host: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The agent's program as an ssh key of CI starts it; `by` signs the fence."""
    monkeypatch.setattr(main, "Paths", lambda: host.paths)
    monkeypatch.setattr(main.os, "geteuid", lambda: 0)

    def ask(name: str, by: Key | None = None, *, bound: bool = True, **request: Any) -> dict[str, Any]:
        if by:
            content = signature.fence_statement(stack=STACK, fence=request["fence"])
            request["fence_ticket"] = by.sign(content, signature.FENCE)
        given = SimpleNamespace(buffer=io.BytesIO(json.dumps(request).encode()), isatty=lambda: False)
        monkeypatch.setattr(main.sys, "stdin", given)
        return main._run([name], bound=bound)  # pyright: ignore[reportPrivateUsage]

    return ask


HIGH: dict[str, Any] = {
    "fence": 10**9,
    "step": 10**9,
    "release": 1,
    "keep": 1,
    "scope": "migrate",
    "hold_seconds": 1,
    "steps": [],
}


@pytest.mark.parametrize("name", [*main.SIGNED, "status"])
def test_a_key_of_ci_alone_moves_no_fence_so_that_hosts_obey_their_operators(
    name: str, host: World, key: Key, agent: Callable[..., dict[str, Any]], tmp_path: Path
):
    go_live(host, key, 1)
    before = State.load(host.paths).order
    for by in (None, Key.make(tmp_path, "mallory")):
        refused("unsigned", agent, name, by, **HIGH)
    assert State.load(host.paths).order == before
    go_live(host, key, 2)


@pytest.mark.parametrize("name", main.SIGNED)
def test_a_key_of_ci_alone_changes_nothing_under_the_fence_that_a_host_has_seen(
    name: str, host: World, key: Key, agent: Callable[..., dict[str, Any]]
):
    """It reads fence and step in what `status` answers."""
    go_live(host, key, 1)
    go_live(host, key, 2)
    seen = agent("status")
    for fence in ({"fence": seen["fence"], "step": seen["step"]}, {}):
        refused(
            "bad_request" if not fence else "unsigned",
            agent,
            name,
            **{**HIGH, "fence": None, **fence, "now": True},
        )
    assert agent("status")["slots"] == seen["slots"]


def test_a_fence_that_was_signed_for_another_stack_or_number_or_thing_is_refused(
    host: World, key: Key, agent: Callable[..., dict[str, Any]]
):
    go_live(host, key, 1)
    for stack, fence, namespace in (
        ("board-staging", 21, signature.FENCE),
        (STACK, 20, signature.FENCE),
        (STACK, 21, signature.RELEASE),
    ):
        ticket = key.sign(signature.fence_statement(stack=stack, fence=fence), namespace)
        refused("unsigned", agent, "boot", fence=21, release=1, fence_ticket=ticket)


def test_a_key_of_ci_with_a_signed_fence_releases_and_a_person_needs_none(
    host: World, key: Key, agent: Callable[..., dict[str, Any]]
):
    go_live(host, key, 1)
    staged(host, 2, signed(key, 2, "serve 2"), "serve 2")
    assert agent("boot", key, fence=20, release=2)["slot"] == "green"
    assert agent("status", key, fence=21, step=4)["fence"] == 21
    assert agent("stop", bound=False, fence=22, release=2)["slot"] == "green"


def test_digests_of_the_same_environment_differ_so_that_a_short_secret_cannot_be_tried_out():
    values = {"PIN": "1234"}
    assert signature.env_digest("web", "one salt", values) != signature.env_digest("web", "another", values)
    assert signature.env_digest("web", "one salt", values) != signature.env_digest("task", "one salt", values)

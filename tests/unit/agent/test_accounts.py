"""One account for each scope: its name, when it is made, and what becomes of its home."""

import pwd
from pathlib import Path

import pytest

from hosts.agent import accounts, builds, restore, retire, run, stage
from hosts.agent.errors import AgentError
from tests.unit.agent.conftest import TICKET, WEB, WORKER, World


def made(world: World) -> list[str]:
    """Names of the accounts that the agent has made."""
    return [call[-1] for call in world.systemd.calls if call[0] == "useradd"]


def staged(world: World, release: int) -> None:
    manifest: dict[str, object] = {"layers": [], "processes": {"web": WEB, "worker": WORKER}}
    wanted: dict[str, object] = {"build": f"b{release}", "config": "c", "ticket": TICKET}
    env = {"web": {}, "task": {}, "cron": {}, "migrate": {"OWNER_URL": "postgres://owner:pw@db/x"}}
    world.ask(stage.command, fence=1, release=release, manifest=manifest, env=env, **wanted)


def user_of(world: World, unit: str) -> str:
    lines = Path(world.paths.unit(unit)).read_text().splitlines()
    return next(line.removeprefix("User=") for line in lines if line.startswith("User="))


def test_a_release_makes_the_accounts_of_its_scopes(world: World):
    staged(world, 1)
    assert made(world) == ["app-cron", "app-migrate", "app-task", "app-web"]
    assert user_of(world, "slipway-web@blue-1.service") == "app-web"


def test_an_account_that_is_there_is_not_made_again(world: World, monkeypatch: pytest.MonkeyPatch):
    known = pwd.getpwnam("root")
    monkeypatch.setattr(pwd, "getpwnam", {"app-web": known, "app-task": known}.__getitem__)
    staged(world, 1)
    assert made(world) == ["app-cron", "app-migrate"]


def test_a_host_rebuilt_around_the_disks_of_an_older_agent_has_accounts_and_units(world: World):
    world.put("blue", "live", 1, active=True, web=WEB)
    Path(world.paths.unit("slipway-web@blue-1.service")).write_text("[Service]\nUser=slipway-app\n")
    world.ask(restore.command)
    assert made(world) == ["app-web"]
    assert user_of(world, "slipway-web@blue-1.service") == "app-web"
    calls = [call[0] for call in world.systemd.calls]
    assert calls.index("useradd") < calls.index("reload") < calls.index("start")


def test_names_that_systemd_would_find_too_long_stay_different():
    names = ["worker", "w" * 27, "w" * 28, "w" * 31, "w" * 30 + "x"]
    users = [accounts.account(name) for name in names]
    assert users[:2] == ["app-worker", f"app-{'w' * 27}"]
    assert max(map(len, users)) == 31
    assert len(set(users)) == len(names)


@pytest.mark.parametrize("scope", ["smoke", "worker", "../green/migrate", "", "web\nUser=root"])
def test_a_one_off_runs_as_a_scope_of_the_release_only(world: World, scope: str):
    staged(world, 1)
    before = made(world)
    with pytest.raises(AgentError) as refused:
        world.ask(run.command, slot="blue", scope=scope, argv=["true"])
    assert refused.value.code == "bad_request"
    assert made(world) == before


def test_the_next_release_in_a_slot_begins_with_empty_homes(world: World):
    staged(world, 1)
    home = Path(world.paths.homes, "blue", "web")
    home.mkdir(parents=True)
    (home / ".npmrc").write_text("planted")
    world.ask(retire.stop, fence=1, release=1)
    assert not home.exists()
    world.ask(builds.prune, fence=1, keep=1)
    assert list(Path(world.paths.homes).iterdir()) == []

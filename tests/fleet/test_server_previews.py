"""Previews on a rented server: opened, updated and closed by a person and by CI's bound key."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.secrets.ssh_signature import make_key
from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway
from tests.fleet.previews import Previews
from tests.fleet.servers import DOMAIN, PREFIX, STACK, Laptop, laptop_with

pytestmark = [pytest.mark.fleet, PROOF]


@dataclass
class Rented:
    """The stack `trial` is one server that carries previews."""

    laptop: Laptop
    person: Previews
    ci: Previews
    """The same host, from a fresh clone and with the ssh key that `slipway access grant --ci` bound."""


@pytest.fixture(scope="module")
def rented(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rented]:
    if find_docker() is None:
        pytest.skip("no Docker")
    folder = tmp_path_factory.mktemp("rented")
    with laptop_with(folder, {"one": "[edge, web, worker, data]"}) as laptop:
        settings = laptop.root / f"Pulumi.{STACK}.yaml"
        settings.write_text(f"{settings.read_text()}  slipway:previews: true\n")
        laptop.done("up")
        make_key(folder / "ci", "ci")
        laptop.done("access", "grant", f"{folder / 'ci'}.pub", "--name", "ci", "--ci")
        git(laptop.root, "add", "-A")
        git(laptop.root, "commit", "-qm", "Previews")
        git(folder, "clone", "-q", str(laptop.root), "runner")
        address = f"{laptop.servers[0].address}:443"
        person = Previews(laptop.root, STACK, DOMAIN, f"{PREFIX}-one", address, laptop.env)
        env = laptop.env | {"SLIPWAY_SSH_KEY_FILE": str(folder / "ci")}
        yield Rented(laptop, person, replace(person, root=folder / "runner", env=env))


def git(where: Path, *words: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    command = ["git", "-C", str(where), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_person_opens_updates_and_closes_and_nothing_is_left(rented: Rented):
    previews = rented.person
    before = previews.everything()
    opened = previews.done("open", "pr-1")
    assert opened["url"] == f"https://pr-1.{DOMAIN}"
    assert previews.get("pr-1").json()["build"] == opened["build"]
    grown = {kind: now - before[kind] for kind, now in previews.everything().items()}
    assert all(grown.values()), grown
    (previews.root / "board/public/note.txt").write_text("another build\n")
    updated = previews.done("open", "pr-1")
    assert not updated["fresh"]
    assert previews.get("pr-1").json()["build"] == updated["build"] != opened["build"]
    assert previews.done("close", "pr-1")["was_there"]
    assert previews.left_since(before) == {}
    assert previews.get("pr-1").status_code == 421


def test_the_bound_key_of_ci_opens_lists_and_closes_and_has_no_shell(rented: Rented, tmp_path: Path):
    """As preview.yml does it: with a build that another job has made of the pull request's commit."""
    previews = rented.ci
    before = rented.person.everything()
    clone = tmp_path / "pull request"
    git(tmp_path, "clone", "-q", str(previews.root), str(clone))
    (clone / "board/public/note.txt").write_text("from the pull request\n")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "Change the board")
    commit = git(clone, "rev-parse", "HEAD")
    replace(rented.laptop, root=clone).done("build", "--output", "artifact")
    build = ("--build", str(clone / "artifact"), "--commit", commit)
    opened = previews.done("open", "pr-2", *build)
    assert opened["fresh"]
    assert rented.person.get("pr-2").json()["build"] == opened["build"]
    assert not previews.done("open", "pr-2", *build)["fresh"]
    (listed,) = previews.done("list")["previews"]
    assert (listed["name"], listed["state"], listed["down"]) == ("pr-2", "open", [])
    assert previews.done("sweep")["closed"] == []
    proved = previews.done("prove", "pr-2")
    assert (proved["good"], proved["problems"]) == (True, [])
    refused = slipway(previews.root, "access", "revoke", "ci", "--stack", STACK, env=previews.env)
    assert refused.code != 0
    assert "needs the key of a person" in refused.out + refused.err
    assert previews.done("close", "pr-2")["was_there"]
    assert rented.person.left_since(before) == {}

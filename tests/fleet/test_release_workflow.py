"""provision.yml, release.yml and rollback.yml with the real slipway, on a local fleet called `preview`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.secrets import age
from tests.debian import IMAGE
from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway
from tests.fleet.conftest import refresh_app
from tests.ports import local_fleet_ports
from tests.workflow import Done, Runner

pytestmark = [pytest.mark.fleet, PROOF]

NAME, STACK = "wftest", "preview"
LOAD = "  slipway:prove:\n    load: smoke\n    load_seconds: 5\n"
TOO_FAST = 'kind = "WS broadcast"\np50_ms = 0.01'
"""Nothing answers in a hundredth of a millisecond."""


class Shop(Runner):
    """The board on GitHub, and its stack."""

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file on the main branch."""
        path = self.root / name
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))
        self.commit()

    def commit(self) -> None:
        git = ["git", "-C", str(self.root), "-c", "user.name=test", "-c", "user.email=test@example.com"]
        for command in (["add", "-A"], ["commit", "-qm", "Change the board"]):
            subprocess.run([*git, *command], check=True)

    def release(self, event: str = "push", **inputs: object) -> dict[str, Done]:
        shutil.rmtree(self.artifacts)
        self.artifacts.mkdir()
        shutil.rmtree(self.root / "artifact", ignore_errors=True)  # a job's checkout is its own
        return self.run("release.yml", event, {}, **inputs)

    @property
    def live(self) -> int:
        """The release that users have."""
        ran = slipway(self.root, "status", "--stack", STACK, "--json")
        return next(host["active"]["release"] for host in ran.json["hosts"] if host["active"])

    def kept(self, name: str, file: str) -> Any:
        """A file of the artifact that a job has kept."""
        return json.loads((self.artifacts / name / file).read_text())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    """Up, by provision.yml; nothing is released."""
    if find_docker() is None:
        pytest.skip("no Docker")
    root = Path(tempfile.gettempdir()) / NAME
    if (root / "age.key").exists():  # an earlier run was cut off
        slipway(root, "down", "--volumes", "--stack", STACK)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    (root / "age.key").write_text(f"{age.new_key()}\n")
    ports = "".join(f"    {key}: {port}\n" for key, port in local_fleet_ports().items())
    (root / "Pulumi.yaml").write_text(f"name: {NAME}\nruntime: python\nmain: infra/\n")
    (root / f"Pulumi.{STACK}.yaml").write_text(
        "config:\n  slipway:platform: local\n  slipway:app: board\n"
        f"  slipway:local:\n    one_host: true\n    image: {IMAGE}\n{ports}"
    )
    refresh_app(root)
    with (root / ".gitignore").open("a") as ignored:
        ignored.write("artifact/\nreports/\n")
    toml = root / "board/slipway.toml"
    quick = re.sub(r'commands = \["bun install.*\]', 'commands = ["true"]', toml.read_text())
    toml.write_text(quick.replace("window_seconds = 10", "window_seconds = 0"))
    made = Shop(
        root,
        tmp_path_factory.mktemp("github"),
        secrets={"SLIPWAY_AGE_KEY": (root / "age.key").read_text()},
        env={"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))},
    )
    made.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        made.env["SLIPWAY_AGE_KEY_FILE"] = str(root / "age.key")  # `up` of a new stack makes its store
        done = made.run("provision.yml", "workflow_dispatch", stack=STACK)
        assert (done["plan"].result, done["up"].result) == ("skipped", "success"), done["up"].log
        assert slipway(root, "secrets", "generate", "--stack", STACK).code == 0
        yield made
        slipway(root, "down", "--volumes", "--stack", STACK)


@pytest.fixture(scope="module")
def first(shop: Shop) -> int:
    """The first release, by a push."""
    done = shop.release()
    assert done["build"].result == "success", done["build"].log
    assert done["release"].result == "success", done["release"].log
    return shop.kept("release", "release.json")["release"]


def test_a_push_is_built_in_one_job_and_shipped_by_the_other(shop: Shop, first: int):
    assert shop.live == first


def test_a_smoke_step_that_fails_fails_the_job_and_users_keep_what_they_have(shop: Shop, first: int):
    shop.edit("board/slipway.toml", """contains = '"status":"ok"'""", 'contains = "never said"')
    done = shop.release()
    shop.edit("board/slipway.toml", 'contains = "never said"', """contains = '"status":"ok"'""")
    assert (done["build"].result, done["release"].result) == ("success", "failure")
    assert "step 'is healthy': expected 'never said' in the answer" in done["release"].log
    assert done["release"].steps["Attest what was released"] == "skipped"
    assert "never said" in str(shop.kept("release", "release.json")["error"]["details"])
    assert shop.live == first


def test_a_load_test_that_fails_sends_the_release_back_and_its_report_is_kept(shop: Shop, first: int):
    stack = f"Pulumi.{STACK}.yaml"
    shop.edit(stack, "config:\n", f"config:\n{LOAD}")
    shop.edit("board/slipway.toml", 'kind = "WS broadcast"\np50_ms = 100', TOO_FAST)
    done = shop.release()
    shop.edit("board/slipway.toml", TOO_FAST, 'kind = "WS broadcast"\np50_ms = 100')
    shop.edit(stack, LOAD, "")
    assert done["release"].result == "failure"
    assert "a threshold is missed" in done["release"].log
    assert (shop.artifacts / "release/load/report.html").exists()
    assert shop.live == first


def test_a_job_that_is_cancelled_is_cleaned_up_by_the_rollback(shop: Shop, first: int):
    (shop.root / "board/public/note.txt").write_text("to be cancelled\n")
    shop.commit()
    shop.cancel_at = "] boot"
    done = shop.release()
    assert done["release"].steps["Release"] == "cancelled", done["release"].log
    back = shop.run("rollback.yml", "workflow_dispatch", stack=STACK, to=str(first))
    assert back["rollback"].result == "success", back["rollback"].log
    assert shop.live == first
    status = slipway(shop.root, "status", "--stack", STACK, "--json").json
    assert status["unfinished"] is None


def test_after_a_rollback_a_push_ships_nothing_until_a_person_says_so(shop: Shop, first: int):
    (shop.root / "board/public/note.txt").write_text("after the rollback\n")
    shop.commit()
    held = shop.release()
    assert held["release"].result == "failure"
    assert shop.live == first
    done = shop.release("workflow_dispatch", stack=STACK, after_rollback=True)
    assert done["release"].result == "success", done["release"].log
    assert shop.live == shop.kept("release", "release.json")["release"] > first

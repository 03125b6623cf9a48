"""preview-build.yml and preview.yml with the real slipway on a local fleet: from a push to a URL."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.checks.conftest import PROOF
from tests.fleet.previews import Previews
from tests.fleet.test_previews import previews
from tests.workflow import Done, Runner

__all__ = ["previews"]

pytestmark = [pytest.mark.fleet, PROOF]

NAME, NUMBER, BRANCH = "pr-7", 7, "feature"
TABLE = "board/migrations/0900_added.up.sql"


class Repository(Runner):
    """The board on GitHub, with pull request 7 from a branch whose clone is `clone`."""

    @property
    def clone(self) -> Path:
        return self.place / "clone"

    def git(self, *words: str, where: Path | None = None) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        command = ["git", "-C", str(where or self.clone), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def is_now(self, state: str) -> str:
        """Have GitHub say so of the pull request; returns its commit."""
        commit = self.git("rev-parse", BRANCH)
        head = {"owner": "acme", "ref": BRANCH, "sha": commit}
        self.on_github(pulls=[{"number": NUMBER, "state": state, "head": head}])
        return commit

    def commits(self, **files: str) -> None:
        """Commit to the branch, as its author does."""
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "Change the board")

    def event(self, action: str) -> tuple[dict[str, Done], dict[str, Done]]:
        """What both workflows do when GitHub says this of the pull request."""
        commit = self.is_now("closed" if action == "closed" else "open")
        shutil.rmtree(self.artifacts)
        self.artifacts.mkdir()
        head = {"sha": commit, "repo": {"full_name": self.repository}}
        here = {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))}
        self.env = here
        pull = {"action": action, "pull_request": {"number": NUMBER, "head": head}}
        built = self.run("preview-build.yml", "pull_request", pull)
        size = sum(path.stat().st_size for path in self.artifacts.rglob("*") if path.is_file())
        self.on_github(artifacts={"build": size} if size else {})
        self.env = {"XDG_CACHE_HOME": str(self.place / "cache of the job with keys")}
        ended = {
            "id": 1,
            "event": "pull_request",
            "conclusion": "failure" if "failure" in {job.result for job in built.values()} else "success",
            "head_branch": BRANCH,
            "head_sha": commit,
            "head_repository": {"full_name": self.repository},
        }
        return built, self.run("preview.yml", "workflow_run", {"workflow_run": ended})

    @property
    def comment(self) -> str:
        """The only one."""
        (found,) = self.github["comments"]
        return found["body"].removeprefix("<!-- slipway preview -->\n").strip()


@pytest.fixture(scope="module")
def repository(previews: Previews, tmp_path_factory: pytest.TempPathFactory) -> Generator[Repository]:
    place = tmp_path_factory.mktemp("github")
    toml = previews.root / "board/slipway.toml"
    quick = re.sub(
        r'commands = \["bun install.*\]', 'commands = ["test ! -e does-not-compile"]', toml.read_text()
    )
    toml.write_text(quick)
    settings = previews.root / f"Pulumi.{previews.stack}.yaml"
    settings.write_text(f"{settings.read_text()}  slipway:prove:\n    checks: high\n")
    made = Repository(
        previews.root,
        place,
        variables={"PREVIEWS": "on"},
        secrets={"SLIPWAY_AGE_KEY": (previews.root / "age.key").read_text()},
    )
    made.git("add", "-A", where=previews.root)
    made.git("commit", "-qm", "Seed previews", where=previews.root)
    made.git("clone", "-q", str(previews.root), str(made.clone), where=place)
    made.git("checkout", "-qb", BRANCH)

    def checked_out(ref: str) -> Path:
        if ref in ("", "main"):
            return previews.root
        folder = place / "checkout"
        shutil.rmtree(folder, ignore_errors=True)
        made.git("clone", "-q", str(made.clone), str(folder), where=place)
        made.git("checkout", "-q", ref, where=folder)
        return folder

    made.checkout = checked_out
    yield made
    previews.done("close", NAME)


@pytest.fixture(scope="module")
def opened(repository: Repository) -> dict[str, Any]:
    """The pull request is opened: it adds a table, an entry of the env, and a file."""
    toml = (repository.clone / "board/slipway.toml").read_text()
    repository.commits(
        **{
            "board/slipway.toml": f'{toml}\n[env.GREETING]\nvalue = "from the pull request"\n',
            TABLE: "CREATE TABLE added (id int);\n",
            TABLE.replace(".up.", ".down."): "DROP TABLE added;\n",
        }
    )
    built, shipped = repository.event("opened")
    assert built["build"].result == "success", built["build"].log
    assert shipped["preview"].result == "success", shipped["preview"].log
    return {"commit": repository.git("rev-parse", BRANCH), "log": shipped["preview"].log}


def test_a_push_becomes_a_url_in_a_comment(
    repository: Repository, opened: dict[str, Any], previews: Previews
):
    url = f"https://{NAME}.previews.localhost:{previews.address.rpartition(':')[2]}"
    where, _, proof = repository.comment.partition("\n\n")
    assert where == f"Preview of {opened['commit']}: {url}"
    assert re.fullmatch(r"Checks: \d\d pass\. Load: none\.", proof)
    assert previews.get(NAME).json()["status"] == "ok"
    assert previews.on("runuser -u postgres -- psql -XAt -d pv_pr_7 -c 'SELECT count(*) FROM added'") == "0"


def test_it_has_the_env_that_the_pull_request_declares(opened: dict[str, Any], previews: Previews):
    assert previews.env_of(NAME)["GREETING"] == "from the pull request"


def test_the_default_branch_is_not_taken_for_what_a_pull_request_built(
    opened: dict[str, Any], previews: Previews
):
    assert list(previews.bucket.list("inputs/")) == []
    other = previews.done("open", "by-hand")
    assert previews.get("by-hand").json()["build"] == other["build"] != previews.get(NAME).json()["build"]
    assert "GREETING" not in previews.env_of("by-hand")
    previews.done("close", "by-hand")


def test_the_next_push_updates_it(repository: Repository, opened: dict[str, Any], previews: Previews):
    before = previews.get(NAME).json()["build"]
    repository.commits(**{"board/public/note.txt": "pushed\n"})
    _, shipped = repository.event("synchronize")
    assert shipped["preview"].result == "success", shipped["preview"].log
    assert previews.get(NAME).json()["build"] != before
    assert repository.git("rev-parse", BRANCH) in repository.comment


def test_a_check_that_fails_leaves_what_was_open(
    repository: Repository, opened: dict[str, Any], previews: Previews
):
    before = previews.get(NAME).json()["build"]
    repository.commits(**{"board/does-not-compile": ""})
    built, shipped = repository.event("synchronize")
    assert built["build"].result == "failure"
    assert "`test ! -e does-not-compile` failed" in built["build"].log
    assert shipped["preview"].steps["Open"] == "skipped"
    assert "its build failed" in repository.comment
    assert previews.get(NAME).json()["build"] == before
    repository.git("rm", "-q", "board/does-not-compile")
    repository.git("commit", "-qm", "Compile again")


def test_a_migration_that_fails_fails_the_job_and_leaves_what_was_open(
    repository: Repository, opened: dict[str, Any], previews: Previews
):
    before = previews.get(NAME).json()["build"]
    broken = TABLE.replace("0900_added", "0901_broken")
    repository.commits(
        **{broken: "SELECT no_such_function();\n", broken.replace(".up.", ".down."): "SELECT 1;\n"}
    )
    _, shipped = repository.event("synchronize")
    assert shipped["preview"].result == "failure"
    assert "the migrate command ended with exit code" in shipped["preview"].log
    assert "could not be opened" in repository.comment
    assert previews.get(NAME).json()["build"] == before
    repository.git("rm", "-q", broken, broken.replace(".up.", ".down."))
    repository.git("commit", "-qm", "Take it out")


def test_a_job_that_is_cancelled_is_gone_on_with_by_the_next_push(
    repository: Repository, opened: dict[str, Any], previews: Previews
):
    slow = TABLE.replace("0900_added", "0902_slow")
    repository.commits(**{slow: "SELECT pg_sleep(5);\n", slow.replace(".up.", ".down."): "SELECT 1;\n"})
    repository.cancel_at = "] open"
    _, shipped = repository.event("synchronize")
    assert shipped["preview"].steps["Open"] == "cancelled"
    assert "could not be opened" in repository.comment
    repository.commits(**{"board/public/note.txt": "after it was cancelled\n"})
    _, shipped = repository.event("synchronize")
    assert shipped["preview"].result == "success", shipped["preview"].log
    assert repository.git("rev-parse", BRANCH) in repository.comment


def test_the_sweeper_closes_what_belongs_to_a_closed_pull_request(
    repository: Repository, opened: dict[str, Any], previews: Previews
):
    """GitHub's event was lost."""
    previews.done("open", "by-hand")
    repository.is_now("closed")
    swept = repository.run("preview.yml", "schedule", {})["sweep"]
    assert swept.result == "success", swept.log
    assert [each["name"] for each in previews.done("list")["previews"]] == ["by-hand"]
    previews.done("close", "by-hand")


def test_a_pull_request_that_is_closed_leaves_nothing(repository: Repository, previews: Previews):
    before = previews.everything()
    _, shipped = repository.event("reopened")
    assert shipped["preview"].result == "success", shipped["preview"].log
    assert previews.get(NAME).status_code == 200
    _, shipped = repository.event("closed")
    assert shipped["preview"].result == "success", shipped["preview"].log
    assert repository.comment == "The preview is closed, and nothing of it is left."
    assert previews.get(NAME).status_code == 421
    assert previews.left_since(before) == {}

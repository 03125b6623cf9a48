"""preview-build.yml and preview.yml, step by step, with a `slipway` that writes down how it was called.

What the real one does with it is in tests/fleet/test_preview_workflow.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow import FOLDER, Done, Runner

COMMIT, NEWER, BUILD_RUN = "c" * 40, "d" * 40, 77
SECRETS = {name: f"value of {name}" for name in ("SLIPWAY_AGE_KEY", "SLIPWAY_SSH_KEY", "SLIPWAY_SIGNING_KEY")}
URL = "https://pr-7.previews.test"
STAND_IN = """\
#!/usr/bin/env python3
import json, os, sys
from pathlib import Path
place = Path(sys.argv[0]).resolve().parent
keys = sorted(name for name in os.environ if name.startswith("SLIPWAY_"))
with (place / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[1:], keys]) + "\\n")
if sys.argv[1] == "build":
    Path(sys.argv[sys.argv.index("--output") + 1]).mkdir()
if sys.argv[1:3] == ["preview", "list"]:
    print(json.dumps({"previews": [{"name": name} for name in ("pr-7", "pr-8", "by-hand")]}))
elif sys.argv[1:3] == ["preview", "prove"]:
    print((place / "proof").read_text())
    sys.exit('"problems": []' not in (place / "proof").read_text())
elif "--json" in sys.argv:
    print(json.dumps({"url": "https://pr-7.previews.test"}))
sys.exit(int((place / "exits").read_text()))
"""


class Repository(Runner):
    """Pull request 7 is open at COMMIT, from the branch `feature` of this repository."""

    def slipway_does(self, exits: int = 0) -> None:
        self.slipway.write_text(STAND_IN)
        self.slipway.chmod(0o755)
        (self.place / "exits").write_text(str(exits))
        self.proves()
        (self.place / "calls").unlink(missing_ok=True)

    def proves(self, *problems: str) -> None:
        """What `slipway preview prove` then says."""
        checks = {"pass": 41, "fail": len(problems)} if problems else {"pass": 41}
        proof = {"checks": checks, "load": "smoke: every threshold is met", "problems": problems}
        (self.place / "proof").write_text(json.dumps(proof))

    def pull(self, **changed: Any) -> None:
        head = {"owner": "acme", "ref": "feature", "sha": COMMIT}
        self.on_github(pulls=[{"number": 7, "state": "open", "head": head, **changed}])

    @property
    def calls(self) -> list[Any]:
        """Arguments of slipway, and the names of the keys that it had."""
        if not (self.place / "calls").exists():
            return []
        return [json.loads(line) for line in (self.place / "calls").read_text().splitlines()]

    def comments(self) -> list[str]:
        return [each["body"] for each in self.github["comments"]]

    def built(self, **changed: Any) -> dict[str, Done]:
        """What GitHub starts when preview-build.yml has ended."""
        of = {
            "id": BUILD_RUN,
            "event": "pull_request",
            "conclusion": "success",
            "head_branch": "feature",
            "head_sha": COMMIT,
            "head_repository": {"full_name": "acme/board"},
        }
        return self.run("preview.yml", "workflow_run", {"workflow_run": of | changed})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "checkout").mkdir()
    made = Repository(
        tmp_path / "checkout",
        tmp_path,
        variables={"PREVIEWS": "on"},
        secrets=SECRETS,
        slipway=tmp_path / "slipway",
    )
    made.slipway_does()
    made.pull()
    (made.artifacts / "build").mkdir()
    made.on_github(artifacts={"build": 1000})
    return made


def pushed(action: str = "synchronize", repository: str = "acme/board") -> dict[str, Any]:
    head = {"sha": COMMIT, "repo": {"full_name": repository}}
    return {"action": action, "pull_request": {"number": 7, "head": head}}


def test_a_pull_request_is_built_without_a_key(repository: Repository):
    done = repository.run("preview-build.yml", "pull_request", pushed())
    assert (done["build"].result, done["closed"].result) == ("success", "skipped")
    assert repository.calls == [[["build", "--stack", "previews", "--output", "artifact"], []]]


def test_a_closed_one_is_not_built(repository: Repository):
    done = repository.run("preview-build.yml", "pull_request", pushed("closed"))
    assert (done["build"].result, done["closed"].result) == ("skipped", "success")
    assert repository.calls == []


@pytest.mark.parametrize("what", ["a fork", "not turned on"])
def test_a_fork_is_not_built_and_nothing_is_until_it_is_turned_on(what: str, repository: Repository):
    if what == "not turned on":
        repository.variables.clear()
    event = pushed(repository="stranger/board" if what == "a fork" else "acme/board")
    assert repository.run("preview-build.yml", "pull_request", event)["build"].result == "skipped"
    other = {"head_repository": {"full_name": event["pull_request"]["head"]["repo"]["full_name"]}}
    assert {job.result for job in repository.built(**other).values()} == {"skipped"}
    assert repository.calls == []


def test_what_was_built_is_opened_and_one_comment_says_where(repository: Repository):
    done = repository.built()
    assert done["preview"].result == "success", done["preview"].log
    folder = str(repository.temp / "build")
    wanted = [
        "preview",
        "open",
        "pr-7",
        "--stack",
        "previews",
        "--build",
        folder,
        "--commit",
        COMMIT,
        "--json",
    ]
    proves = ["preview", "prove", "pr-7", "--stack", "previews", "--json"]
    assert repository.calls == [[wanted, sorted(SECRETS)], [proves, sorted(SECRETS)]]
    said = f"Preview of {COMMIT}: {URL}\n\nChecks: 41 pass. Load: smoke: every threshold is met."
    assert repository.comments() == [f"<!-- slipway preview -->\n{said}\n"]
    repository.built()
    assert len(repository.comments()) == 1


def test_what_a_preview_misses_fails_the_job_and_is_said_as_text(repository: Repository):
    """The app's own answers are in it: no pull request writes links and pictures into the comment."""
    repository.proves("X2/framing-is-denied: <img src=x> ![](https://evil.test/p.png)")
    done = repository.built()["preview"]
    assert (done.result, done.steps["Open"], done.steps["Prove"]) == ("failure", "success", "failure")
    (comment,) = repository.comments()
    assert URL in comment
    assert "Checks: 41 pass, 1 fail." in comment
    assert "<pre>\nX2/framing-is-denied: &lt;img src=x&gt;" in comment


@pytest.mark.parametrize("said", [json.dumps({"error": {"message": "a problem"}}), "", "a problem"])
def test_a_preview_that_cannot_be_proved_is_said_to_be_open(said: str, repository: Repository):
    (repository.place / "proof").write_text(said)
    assert repository.built()["preview"].result == "failure"
    (comment,) = repository.comments()
    assert URL in comment
    assert "It could not be proved" in comment


def test_a_comment_that_somebody_else_wrote_is_left_alone(repository: Repository):
    theirs = {
        "id": 1,
        "issue": 7,
        "user": {"login": "ana"},
        "body": "<!-- slipway preview -->\nhttps://evil.test",
    }
    repository.on_github(comments=[theirs])
    assert repository.built()["preview"].result == "success"
    first, second = repository.comments()
    assert first == theirs["body"]
    assert URL in second


def test_a_build_that_failed_is_said_and_opens_nothing(repository: Repository):
    assert repository.built(conclusion="failure")["preview"].result == "success"
    assert repository.calls == []
    (comment,) = repository.comments()
    assert "its build failed" in comment
    assert f"actions/runs/{BUILD_RUN}" in comment


def test_a_build_that_was_cancelled_changes_nothing(repository: Repository):
    done = repository.built(conclusion="cancelled")
    assert {job.result for job in done.values()} == {"skipped"}
    assert repository.calls == repository.comments() == []


def test_a_preview_that_does_not_open_fails_the_job_and_is_said(repository: Repository):
    repository.slipway_does(exits=1)
    done = repository.built()["preview"]
    assert (done.result, done.steps["Open"], done.steps["Comment"]) == ("failure", "failure", "success")
    (comment,) = repository.comments()
    assert "could not be opened" in comment
    assert URL not in comment


def test_a_newer_push_has_a_run_of_its_own(repository: Repository):
    newer = {"owner": "acme", "ref": "feature", "sha": NEWER}
    repository.pull(head=newer)
    done = repository.built()
    assert done["find"].outputs == {"number": ""}
    assert done["preview"].result == "skipped"

    def pushed_while_it_waited(ref: str) -> Path:
        repository.pull(head=newer)
        return repository.root

    repository.pull()
    repository.checkout = pushed_while_it_waited
    done = repository.built()
    assert done["find"].outputs == {"number": "7"}
    assert (done["preview"].result, done["preview"].steps["Open"]) == ("success", "skipped")
    assert repository.calls == repository.comments() == []


def test_a_build_that_is_too_large_is_not_taken(repository: Repository):
    repository.on_github(artifacts={"build": 3_000_000_000})
    done = repository.built()["preview"]
    assert done.steps["actions/download-artifact"] == "skipped"
    assert repository.calls == []
    assert "larger than 2000000000 bytes" in repository.comments()[0]


def test_an_artifact_does_not_choose_which_preview_it_becomes(repository: Repository):
    for name in ("number", "NUMBER", "pr-8"):
        (repository.artifacts / "build" / name).write_text("8")
    repository.built()
    assert {name for (_, _, name, *_), _ in repository.calls} == {"pr-7"}


def test_a_pull_request_that_is_closed_has_its_preview_closed(repository: Repository):
    repository.built()
    repository.pull(state="closed")
    repository.slipway_does()
    assert repository.built()["preview"].result == "success"
    assert repository.calls == [
        [["preview", "close", "pr-7", "--stack", "previews", "--json"], sorted(SECRETS)]
    ]
    assert repository.comments() == [
        "<!-- slipway preview -->\nThe preview is closed, and nothing of it is left.\n"
    ]


def test_a_preview_that_never_was_is_not_said_to_be_closed(repository: Repository):
    repository.pull(state="closed")
    repository.built()
    assert repository.comments() == []


def test_every_hour_what_is_old_is_closed_and_what_belongs_to_a_closed_pull_request(repository: Repository):
    repository.on_github(
        pulls=[
            {"number": 7, "state": "closed", "head": {}},
            {"number": 8, "state": "open", "head": {}},
        ]
    )
    done = repository.run("preview.yml", "schedule", {})
    assert (done["sweep"].result, done["find"].result, done["preview"].result) == (
        "success",
        "skipped",
        "skipped",
    )
    assert [arguments[:3] for arguments, _ in repository.calls] == [
        ["preview", "sweep", "--stack"],
        ["preview", "list", "--stack"],
        ["preview", "close", "pr-7"],
    ]


def test_the_jobs_with_keys_check_out_the_default_branch_and_nothing_else():
    content: Any = yaml.safe_load((FOLDER / "preview.yml").read_text())
    assert set(content[True]) == {"workflow_run", "schedule", "workflow_call"}  # YAML reads `on` as true
    for name, job in content["jobs"].items():
        if "secrets." not in str(job):
            assert "id-token" not in job["permissions"], name
            continue
        # The role on AWS trusts jobs of this environment, which the default branch alone may use.
        assert job["environment"] == "${{ inputs.stack || 'previews' }}", name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                ref = step["with"].get("ref", "${{ github.event.repository.default_branch }}")
                assert ref == "${{ github.event.repository.default_branch }}", name


def test_jobs_sign_in_to_aws_before_they_reach_hosts_and_only_where_a_role_is_named():
    content: Any = yaml.safe_load((FOLDER / "preview.yml").read_text())
    for name in ("preview", "sweep"):
        steps = content["jobs"][name]["steps"]
        signs_in = [
            step.get("uses", "").startswith("aws-actions/configure-aws-credentials@") for step in steps
        ]
        reaches = ["slipway preview" in step.get("run", "") for step in steps]
        assert signs_in.index(True) < reaches.index(True), name
        assert steps[signs_in.index(True)]["if"].startswith("vars.AWS_ROLE != ''"), name
        assert content["jobs"][name]["permissions"]["id-token"] == "write", name

"""The project and its record: env contract, git, ledger, load tests (P2, P5, S3, S4, S8, X17, I9)."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from checks.kit.background import Background, begun_early
from checks.kit.check import check, not_evaluated
from checks.kit.leaks import Sought
from slipway.stack import LiveStack, SlipwayError

LARGEST_OBJECT = 4 * 1024 * 1024
"""Larger objects of git are not searched."""
LOAD_DAYS = 30
"""Highest age of the last load test that passed."""


@check(
    "P2",
    severity="critical",
    why="a missing variable shows only when the first process starts, or a user runs into it",
    remedy="slipway secrets check lists them; slipway secrets set NAME sets one",
)
def test_the_env_contract_is_met(live: LiveStack) -> None:
    wrong: list[str] = []
    for scope in (*live.app.processes, "migrate", "cron", "smoke"):
        try:
            live.env(scope)
        except SlipwayError as error:
            wrong += [error.message, *error.details]
    assert not wrong, "; ".join(wrong)


@check(
    "P5",
    severity="medium",
    why="without the names, a new developer has to guess them",
    remedy="slipway secrets example > .env.example",
    needs=("env",),
)
def test_the_env_example_names_the_contract(live: LiveStack) -> None:
    if not live.app.env:
        not_evaluated("the app has no [env] in slipway.toml")
    file = live.app_dir / ".env.example"
    if not file.is_file():
        pytest.fail(f"there is no {file.name} beside slipway.toml")
    entries = re.compile(r"^#?\s*([A-Z][A-Z0-9_]*)=", re.MULTILINE)
    missing = sorted({*entries.findall(live.env_example())} - {*entries.findall(file.read_text())})
    assert not missing, f"it does not name {', '.join(missing)}"


@check(
    "P5",
    "I9",
    severity="critical",
    asvs="13.3.1",
    why="a secret in git is in every clone, and stays in the history",
    remedy="replace the secret, and remove it from the history",
)
def test_no_secret_of_the_stack_is_in_git(live: LiveStack) -> None:
    values = [value for value in live.secrets.values() if len(value) >= 12 and "\n" not in value]
    patterns = "\n".join(values)
    # By standard input: every account can read command lines.
    argv = ["git", "grep", "-l", "-F", "-f", "-"]
    found = subprocess.run(
        argv, cwd=live.app_dir, input=patterns, capture_output=True, text=True, check=False
    )
    if found.returncode > 1:
        not_evaluated("the app is not in a git repository")
    assert not found.stdout.split(), f"committed: {', '.join(found.stdout.split())}"
    env = subprocess.run(
        ["git", "ls-files", "--", ".env", "*/.env", ".env.local", ".env.production"],
        cwd=live.app_dir, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    assert not env, f"committed: {', '.join(env)}"


@begun_early
def held_by_git(live: LiveStack) -> list[str] | None:
    """Objects of the repository, of any commit, that hold a secret; None: there is no repository."""
    git = ["git", "-C", str(live.app_dir)]
    listing = [
        *git,
        "cat-file",
        "--batch-all-objects",
        "--unordered",
        "--batch-check=%(objectname) %(objecttype) %(objectsize)",
    ]
    listed = subprocess.run(listing, capture_output=True, text=True, check=False)
    if listed.returncode:
        return None
    sought = Sought.of({**live.secrets, **live.private_keys()})
    kept = live.state_dir / "git-searched.json"
    objects = {line.split()[0] for line in listed.stdout.splitlines() if _is_searched(*line.split())}
    key = hashlib.sha256(json.dumps(sorted(sought.names)).encode()).hexdigest()
    clean = _clean_before(kept, key) & objects
    found: list[str] = []
    with tempfile.TemporaryFile() as names:
        names.write("".join(f"{name}\n" for name in sorted(objects - clean)).encode())
        names.seek(0)
        with subprocess.Popen([*git, "cat-file", "--batch"], stdin=names, stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            while header := reader.stdout.readline().split():
                held = sought.in_text(reader.stdout.read(int(header[2]) + 1))
                name = header[0].decode()
                if held:
                    found.append(f"{name[:12]} holds {', '.join(sorted(held))}")
                else:
                    clean.add(name)
    kept.write_text(json.dumps({"key": key, "clean": sorted(clean)}))
    return found


def _is_searched(_name: str, kind: str, size: str) -> bool:
    return kind in ("blob", "commit", "tag") and int(size) <= LARGEST_OBJECT


def _clean_before(kept: Path, key: str) -> set[str]:
    """Objects never change: those that held none of the same secrets hold none today."""
    try:
        found = json.loads(kept.read_text())
        return set(found["clean"]) if found["key"] == key else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@check(
    "P5",
    "I9",
    severity="critical",
    asvs="13.3.1",
    why="a secret that was committed and deleted again is still in the history of every clone",
    remedy="replace the secret; git filter-repo, git reflog expire --expire=now --all, git gc --prune=now",
    waits_for=(held_by_git,),
)
def test_no_secret_of_the_stack_is_in_the_history(background: Background) -> None:
    found = background.result(held_by_git)
    if found is None:
        not_evaluated("the app is not in a git repository")
    assert not found, f"git show OBJECT shows it: {'; '.join(found[:5])}"


@check(
    "X17",
    "S4",
    severity="high",
    asvs="16.2.1",
    why="after an incident the first question is who released what, and when",
    remedy="the ledger keeps it: slipway history",
)
def test_every_release_has_an_author_and_a_source(live: LiveStack) -> None:
    head = live.ledger.head()
    if head.live is None:
        pytest.fail("nothing was released yet")
    record = json.loads(live.ledger.get(head.live).model_dump_json())
    text = json.dumps(record)
    for key in ("actor", "build", "number"):
        assert record.get(key), f"release {head.live} has no {key}: {sorted(record)}"
    assert live.redact(text) == text, f"the record of release {head.live} holds a secret"


@check(
    "S4",
    severity="medium",
    why="a rollback to a release that never served users proves nothing",
    remedy="promote two releases: the second one makes the first the rollback target",
    required=False,
)
def test_there_is_a_release_to_roll_back_to(live: LiveStack) -> None:
    ledger = live.ledger
    serving = ledger.head().live
    if serving is None or not any(each.is_good for each in ledger.history() if each.number < serving):
        not_evaluated("there was only one good release yet")
    assert ledger.previous_good(before=serving) is not None, "no earlier release was promoted"


@check(
    "S3",
    severity="high",
    why="without a load test, the limit shows on the day of the peak",
    remedy="slipway load --profile expected",
    required=False,
)
def test_the_expected_load_was_tested(live: LiveStack) -> None:
    file = live.state_dir / "load" / "history.jsonl"
    if not file.is_file():
        not_evaluated(f"no load test of {live.name} was run from this machine: slipway load")
    runs = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    tried = [run for run in runs if run.get("profile") == "expected"]
    if not tried:
        not_evaluated(f"no load test of {live.name} by profile expected was run from this machine")
    good = [run for run in tried if run.get("passed")]
    assert good, "none of the runs of profile expected passed"
    days = (time.time() - float(good[-1]["started"])) / 86_400
    assert days <= LOAD_DAYS, f"the last one that passed is {days:.0f} days old"

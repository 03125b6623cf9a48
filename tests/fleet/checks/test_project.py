"""Project checks fail when the env contract, the repository or the release record is wrong."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from slipway.stack import LiveStack
from tests.fleet.checks.breaking import Break, local_file, settings
from tests.fleet.checks.harness import Case, prove
from tests.fleet.command import slipway
from tests.fleet.site import Site

ENV = r"^SERVICE_NAME = "


def stored(key: str, change: Callable[[dict[str, Any]], object]) -> Break:
    """A changed object of the ledger; `{live}` in the key is the live release."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        bucket = LiveStack(site.project).bucket
        name = next(name for name in bucket.list("") if key.format(live=f"{site.live():08d}") in name)
        found = bucket.get_json(name)
        assert found
        changed = json.loads(json.dumps(found[0]))
        change(changed)
        assert changed != found[0], f"{name}: {changed}"
        try:
            bucket.put_json(name, changed)
            yield
        finally:
            bucket.put_json(name, found[0])

    return broken


@contextmanager
def committed_secret(site: Site) -> Generator[None]:
    """A file with a secret under version control."""
    git = ["git", "-C", str(site.app)]
    (site.app / "notes.txt").write_text(f"the hook's: {LiveStack(site.project).secrets['WEBHOOK_SECRET']}\n")
    try:
        subprocess.run([*git, "add", "notes.txt"], check=True)
        yield
    finally:
        subprocess.run([*git, "rm", "-q", "-f", "--cached", "notes.txt"], check=True)
        (site.app / "notes.txt").unlink()


@contextmanager
def secret_in_the_history(site: Site) -> Generator[None]:
    """A commit with a secret, taken back by the next command."""
    git = ["git", "-C", str(site.app), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    (site.app / "notes.txt").write_text(f"the hook's: {LiveStack(site.project).secrets['WEBHOOK_SECRET']}\n")
    notes = (
        ["add", "notes.txt"],
        ["commit", "-q", "-m", "notes", "notes.txt"],
        ["reset", "-q", "--soft", "HEAD~1"],
    )
    forget = (["reflog", "expire", "--expire=now", "--all"], ["gc", "-q", "--prune=now"])
    try:
        for command in (*notes, ["rm", "-q", "-f", "--cached", "notes.txt"]):
            subprocess.run([*git, *command], check=True)
        (site.app / "notes.txt").unlink()
        yield
    finally:
        for command in forget:
            subprocess.run([*git, *command], check=True)


def stored_secret(name: str, value: str) -> Break:
    """Another value in the store, past the command that judges it; nothing is released."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        store = LiveStack(site.project).platform.secret_store()
        before = store.read()[name]
        try:
            store.set(name, value)
            yield
        finally:
            store.set(name, before)

    return broken


@contextmanager
def shared_secret(site: Site) -> Generator[None]:
    """Two secrets with one value."""
    secrets = LiveStack(site.project).secrets
    try:
        assert slipway(site.root, "secrets", "set", "CRON_SECRET", stdin=secrets["WEBHOOK_SECRET"]).code == 0
        yield
    finally:
        assert slipway(site.root, "secrets", "set", "CRON_SECRET", stdin=secrets["CRON_SECRET"]).code == 0


def load_run(**values: object) -> Break:
    """The history of load tests with one run."""
    line = json.dumps({"profile": "expected", "passed": True, "started": time.time(), **values}) + "\n"
    return lambda site: local_file(site, ".slipway/local/load/history.jsonl", lambda _: line)


CASES = (
    Case(
        "a variable without a value",
        settings(ENV, 'HAS_NO_VALUE = { secret = true, scope = ["web"] }\nSERVICE_NAME = '),
        red=("P2/the-env-contract-is-met",),
        says="HAS_NO_VALUE",
    ),
    Case(
        "an example that lacks a name",
        lambda site: local_file(site, "board/.env.example", lambda text: text.replace("JWT_SECRET", "JWT")),
        red=("P5/the-env-example-names-the-contract",),
        says="JWT_SECRET",
    ),
    Case("a secret in git", committed_secret, red=("P5/no-secret-of-the-stack-is-in-git",), says="notes.txt"),
    Case(
        "a secret in git's history",
        secret_in_the_history,
        red=("P5/no-secret-of-the-stack-is-in-the-history",),
        says="WEBHOOK_SECRET",
    ),
    Case(
        "a secret that can be guessed",
        stored_secret("PLATFORM_UPLOADS_SECRET_KEY", "changeme-changeme-changeme"),
        red=("I8/no-secret-is-shared-or-weak",),
        says="PLATFORM_UPLOADS_SECRET_KEY",
    ),
    Case(
        "a secret that was replaced and not released",
        stored_secret("WEBHOOK_SECRET", "pGk3_Zq8vT1xW6yB4nM9cR2sJ7dL5hF0"),
        red=("I9/processes-run-with-the-secrets-of-the-store",),
        says="WEBHOOK_SECRET",
    ),
    Case(
        "one secret for two things",
        shared_secret,
        # The store has another value than the one that was released.
        red=("I8/no-secret-is-shared-or-weak", "I9/processes-run-with-the-secrets-of-the-store"),
        says="CRON_SECRET",
    ),
    Case(
        "keys of another kind",
        settings("^WEBHOOK_SECRET = {", 'WEBHOOK_SECRET = { stack_pattern = { local = "whsec_.*" },'),
        red=("P6/keys-are-of-this-stacks-kind",),
        says="WEBHOOK_SECRET",
    ),
    Case(
        "a release without an actor",
        stored("{live}", lambda record: record.update(actor="")),
        red=("X17/every-release-has-an-author-and-a-source",),
    ),
    Case(
        "no earlier release",
        stored("head", lambda record: record.update(previous=999_999)),
        red=("S4/there-is-a-release-to-roll-back-to",),
        says="999999",
    ),
    Case("a load test that did not pass", load_run(passed=False), red=("S3/the-expected-load-was-tested",)),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)

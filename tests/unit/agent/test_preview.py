"""Names, records and routes of previews; what runs is in tests/fleet/test_previews.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hosts.agent import preview
from hosts.agent.errors import AgentError
from hosts.agent.preview_record import PreviewPaths, check_name, every, new


@pytest.fixture
def paths(tmp_path: Path) -> PreviewPaths:
    return PreviewPaths(str(tmp_path))


@pytest.mark.parametrize("name", ["pr-12", "a", "x" * 24])
def test_names_of_previews(name: str):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "12", "PR", "pr_1", "pr-", "a.b", "../x", "x" * 25, "blue", "uploads", "uploads-pr-1"]
)
def test_names_that_cannot_be_a_preview_or_are_taken(name: str):
    with pytest.raises(AgentError, match="cannot name a preview"):
        check_name(name)


def test_two_previews_share_no_port_account_or_database(paths: PreviewPaths):
    first = new(paths, "a-b")
    first.save(paths)
    second = new(paths, "a")
    second.save(paths)
    assert {first.port(n) for n in range(3)}.isdisjoint({second.port(n) for n in range(3)})
    assert first.scope("web") != second.scope("b-web")
    assert first.database != second.database
    assert first.nonce != second.nonce
    assert [each.name for each in every(paths)] == ["a", "a-b"]


def test_a_record_holds_no_secret_and_is_read_back(paths: PreviewPaths):
    made = new(paths, "pr-1")
    made.builds = {"b1": ["sha256:aa"]}
    made.save(paths, step="data")
    (read,) = every(paths)
    assert read.to_json() == made.to_json()
    assert json.loads(Path(paths.record("pr-1")).read_text())["step"] == "data"
    assert Path(paths.record("pr-1")).stat().st_mode & 0o077 == 0


def test_a_host_that_was_not_set_up_for_previews_refuses(paths: PreviewPaths):
    with pytest.raises(AgentError, match="carries no previews"):
        paths.refuse_unless_ready()


def test_a_signature_is_for_one_life_of_one_preview_its_seed_and_its_environment():
    given = {"nonce": "n", "seed": "true", "env": {"web": {"DATABASE_URL": "x"}}, "redis": {"password": "p"}}
    one: dict[str, Any] = {"stack": "board-previews", "preview": "pr-1", "build": "b1", "given": given}

    def said(**changes: Any) -> bytes:
        return preview.statement(**{**one, **changes})

    others = {said(**{key: "other"}) for key in one if key != "given"}
    others |= {said(given={**given, key: "other"}) for key in given}
    others |= {said(given={**given, "database": {}})}
    assert len(others | {said()}) == len(one) + len(given) + 1
    asked = {**given, "action": "open", "name": "pr-1", "signature": "s", "uploads_site": None}
    assert said(given=asked) == said()

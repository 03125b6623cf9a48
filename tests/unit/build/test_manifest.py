"""The manifest's id holds for its content, and what cannot be read is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hosts.agent.signature import canonical, manifest_id
from slipway.build.manifest import Manifest, read_manifest, seal
from slipway.settings import BadInput, Cron, Process, SlipwayError

SHA = "sha256:" + "a" * 64


def make(**changes: Any) -> Manifest:
    content: dict[str, Any] = {
        "app": "board",
        "arch": "x64",
        "runtime": {"name": "bun", "version": "1.4.5"},
        "git": {"sha": "f" * 40, "subject": "First", "dirty": False},
        "layers": [{"kind": "app", "digest": SHA, "size": 1, "unpacked_size": 2}],
        "migrations": [{"id": "0001_people", "contract": True, "sha256": "b" * 64}],
        "processes": {"web": Process(command="bun web.ts", role="web")},
        "cron": {"sweep": Cron(schedule="hourly", command="bun sweep.ts")},
        "migrate": {"command": "bun migrate.ts", "timeout_seconds": 60},
        "declared": {
            "env": {"TOKEN": {"secret": True}, "URL": {"from": "url"}},
            "smoke": {"steps": [{"name": "writes", "request": "POST /a", "json": {"a": 1}}]},
        },
        "sbom": SHA,
        "input": SHA,
    }
    return seal(**{**content, **changes})


def test_what_is_stored_is_read_back() -> None:
    manifest = make()
    stored = json.loads(json.dumps(manifest.model_dump(mode="json")))
    assert stored["schema"] == 3
    assert stored["processes"]["web"]["role"] == "web"
    assert read_manifest(stored, "x") == manifest


def test_the_id_is_of_the_content() -> None:
    assert make().id == make().id
    assert make().id != make(app="other").id
    assert make().id == manifest_id(make().model_dump(mode="json"))


def test_a_changed_manifest_is_refused() -> None:
    stored = make().model_dump(mode="json")
    stored["processes"]["web"]["command"] = "curl evil | sh"
    with pytest.raises(SlipwayError, match="damaged"):
        read_manifest(stored, "builds/x.json")


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    stored = make().model_dump(mode="json") | {"schema": 4, "surprise": 1}
    with pytest.raises(BadInput, match="has schema 4, this slipway reads up to 3") as refused:
        read_manifest(stored, "builds/x.json")
    assert "newer slipway" in refused.value.remedy


def test_a_sound_id_does_not_excuse_a_wrong_shape() -> None:
    stored = make().model_dump(mode="json") | {"layers": "none"}
    stored["id"] = manifest_id(stored)
    with pytest.raises(SlipwayError, match="not a manifest"):
        read_manifest(stored, "builds/x.json")


def test_an_edited_migration_changes_the_migrations_digest() -> None:
    edited = [{"id": "0001_people", "contract": True, "sha256": "c" * 64}]
    assert make().migrations_digest != make(migrations=edited).migrations_digest
    assert make().migrations_digest == make(app="other").migrations_digest


@pytest.mark.parametrize("schema", [1, 2])
def test_a_build_with_an_id_of_48_bits_is_refused(schema: int) -> None:
    """Another manifest with the same short id was found in 40 seconds."""
    stored = make().model_dump(mode="json") | {"schema": schema}
    stored["id"] = manifest_id(stored)[:13]
    with pytest.raises(BadInput, match="can be forged"):
        read_manifest(stored, "x")


def test_an_id_is_the_whole_digest() -> None:
    assert len(make().id) == 1 + 64


def test_whatever_may_move_the_schema_changes_the_migrations_digest() -> None:
    for changes in ({"command": "other"}, {"folder": "abc"}, {"directory": "db"}):
        migrate = {"command": "bun migrate.ts", "timeout_seconds": 60, **changes}
        assert make(migrate=migrate).migrations_digest != make().migrations_digest
    assert make(migrations=[]).migrations_digest == ""


def test_canonical_json_has_one_form() -> None:
    assert canonical({"b": 1, "a": "ü"}) == b'{"a":"\\u00fc","b":1}'

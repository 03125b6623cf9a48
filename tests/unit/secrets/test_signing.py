"""Who may sign for a stack: the file of signers, the key at work, and how keys are changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.secrets import signing
from slipway.secrets.ssh_signature import make_key, public_of
from slipway.settings import App, BadInput, Project, Stack


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (signing.KEY, signing.KEY_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def project(root: Path, platform: str = "local") -> Project:
    servers = [{"name": "web1", "role": "web", "address": "10.0.0.1", "ssh": "root@x", "host_key": "k"}]
    more = {"servers": servers, "domain": "x.test"} if platform == "servers" else {}
    stack = Stack.model_validate({"name": "prod", "project": "tiny", "platform": platform, **more})
    processes = {"web": {"command": "x"}}
    app = App.model_validate({"name": "tiny", "runtime": {"name": "none"}, "processes": processes})
    return Project(root=root, stack=stack, app=app, app_dir=root, state_dir=root / ".slipway" / "prod")


def test_a_local_stack_gets_a_key_by_itself_and_nothing_to_commit(home: Path):
    local = project(home)
    assert signing.ensure_signers(local) == ""
    assert signing.signers_file(local).is_relative_to(local.state_dir)
    signer, signature = signing.signed(local, b"content", "slipway-release")
    assert signing.trusts(local, b"content", signature, signer, "slipway-release")
    assert not signing.trusts(local, b"changed", signature, signer, "slipway-release")
    assert not signing.trusts(local, b"content", signature, signer, "slipway-boot")
    assert not signing.trusts(local, b"content", signature, "someone", "slipway-release")


def test_a_shared_stack_gets_the_key_of_who_brings_it_up_in_a_file_to_commit(home: Path):
    shared = project(home, "servers")
    assert "commit it" in signing.ensure_signers(shared)
    file = home / "signers" / "prod"
    before = file.read_text()
    assert signing.ensure_signers(shared) == ""
    assert file.read_text() == before


def test_a_person_who_is_not_among_the_signers_is_given_the_line_to_add(home: Path):
    shared = project(home, "servers")
    signing.ensure_signers(shared)
    other = home / "other"
    make_key(other, "other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(signing.KEY_FILE, str(other))
        with pytest.raises(BadInput, match="may not sign") as refused:
            signing.signed(shared, b"content", "slipway-release")
    assert public_of(other) in refused.value.remedy


def test_a_ci_jobs_key_comes_as_text_and_is_kept_from_others(home: Path, monkeypatch: pytest.MonkeyPatch):
    shared, key = project(home, "servers"), home / "ci"
    make_key(key, "ci")
    signing.signers_file(shared).parent.mkdir()
    signing.signers_file(shared).write_text(f'ci@example.com namespaces="slipway-*" {public_of(key)}\n')
    monkeypatch.setenv(signing.KEY, key.read_text())
    assert signing.signed(shared, b"content", "slipway-release")[0] == "ci@example.com"
    (kept,) = (shared.state_dir / "ssh").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    monkeypatch.setenv(signing.KEY, "no key at all")
    with pytest.raises(BadInput, match="no private ssh key"):
        signing.signed(shared, b"content", "slipway-release")


def test_keys_are_rotated_one_beside_the_other(home: Path, monkeypatch: pytest.MonkeyPatch):
    shared, old, new = project(home, "servers"), home / "old", home / "new"
    for key in (old, new):
        make_key(key, key.name)
    file = signing.signers_file(shared)
    file.parent.mkdir()
    lines = [f'{key.name} namespaces="slipway-*" {public_of(key)}\n' for key in (old, new)]
    file.write_text("".join(lines))
    monkeypatch.setenv(signing.KEY_FILE, str(old))
    by_old = signing.signed(shared, b"content", "slipway-release")
    monkeypatch.setenv(signing.KEY_FILE, str(new))
    by_new = signing.signed(shared, b"content", "slipway-release")

    def holds(signed: tuple[str, str]) -> bool:
        return signing.trusts(shared, b"content", signed[1], signed[0], "slipway-release")

    assert (holds(by_old), holds(by_new)) == (True, True)
    expired = lines[0].replace('"slipway-*"', '"slipway-*",valid-before="20200101"')
    file.write_text(expired + lines[1])
    assert (holds(by_old), holds(by_new)) == (False, True)
    file.write_text(lines[1])
    assert (holds(by_old), holds(by_new)) == (False, True)


def test_without_signers_the_remedy_is_said(home: Path):
    with pytest.raises(BadInput, match="has no signers") as refused:
        signing.signers(project(home, "servers"))
    assert "slipway up --stack prod" in refused.value.remedy

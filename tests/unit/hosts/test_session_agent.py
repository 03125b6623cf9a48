"""Hosts install one version of Systems Manager's agent, and only what AWS signed: real gpgv and dpkg-deb."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hosts.aws import SSM_KEYS, SSM_VERSION
from hosts.render import TEMPLATES, render, verbatim
from tests.fleet.session_agent import session_agent, signing_key

KEYS = TEMPLATES / "aws" / "ssm_agent_keys.asc"


@pytest.fixture
def script(tmp_path: Path) -> dict[str, Any]:
    """The program's functions; a key of this test stands in the place of AWS's."""
    return loaded(signing_key(tmp_path))


def loaded(keys: str) -> dict[str, Any]:
    text = render("aws/install_ssm_agent.py.j2", region="eu-central-1", version=SSM_VERSION, keys=keys)
    found: dict[str, Any] = {"__name__": "install_ssm_agent"}
    exec(compile(text, "install_ssm_agent", "exec"), found)
    return found


def laid(folder: Path, package: bytes, signature: bytes) -> tuple[str, Path, Path]:
    deb, sig = folder / "amazon-ssm-agent.deb", folder / "amazon-ssm-agent.deb.sig"
    deb.write_bytes(package)
    sig.write_bytes(signature)
    return f"https://s3/{deb.name}", deb, sig


def test_a_package_that_the_key_signed_is_taken(script: dict[str, Any], tmp_path: Path) -> None:
    script["refuse_foreign"](*laid(tmp_path, *session_agent(tmp_path)))


def test_a_package_that_was_changed_is_refused(script: dict[str, Any], tmp_path: Path) -> None:
    package, signature = session_agent(tmp_path)
    with pytest.raises(SystemExit, match=r"is not signed by AWS, so it is not installed .*BAD signature"):
        script["refuse_foreign"](*laid(tmp_path, package + b"x", signature))


def test_a_package_that_somebody_else_signed_is_refused(tmp_path: Path) -> None:
    signing_key(tmp_path)
    with pytest.raises(SystemExit, match=r"is not signed by AWS.*No public key"):
        loaded(verbatim("aws/ssm_agent_keys.asc"))["refuse_foreign"](
            *laid(tmp_path, *session_agent(tmp_path))
        )


def test_another_version_that_the_key_signed_is_refused(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=rf"is version 3.1.1080.0-1 and must be {SSM_VERSION}"):
        script["refuse_foreign"](*laid(tmp_path, *session_agent(tmp_path, "3.1.1080.0")))


def test_a_package_that_is_not_there_is_named(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"missing\.deb: "):
        script["fetch"](f"file://{tmp_path}/missing.deb")


def test_the_keys_are_those_of_the_table_with_their_ends() -> None:
    argv = ["gpg", "--with-colons", "--show-keys", KEYS]
    lines = [each.split(":") for each in subprocess.check_output(argv, text=True).splitlines()]
    ends = [int(each[6]) for each in lines if each[0] == "pub"]
    fingerprints = [each[9] for each in lines if each[0] == "fpr"]
    days = [datetime.fromtimestamp(each, UTC).date().isoformat() for each in ends]
    assert dict(zip(fingerprints, days, strict=True)) == SSM_KEYS

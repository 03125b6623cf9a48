"""Which pieces of a secret are searched for, and what finds them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from checks.kit import leak_search
from checks.kit.leaks import LOGGED, SEPARATORS, Sought, pieces, spelled

SECRET = "Zk3vQ9-a-long-secret_of-the-stack"


def test_a_value_with_slashes_is_searched_by_its_pieces() -> None:
    assert pieces(["AAAABBBBCCCCDDDD/EEEEFFFFGGGGHHHH+x/abc="]) == {"AAAABBBBCCCCDDDD", "EEEEFFFFGGGGHHHH+x"}


def test_short_pieces_and_host_names_are_not_searched() -> None:
    assert pieces(["short", "https://key@errors.example-service.com/1"]) == set()


def test_a_token_with_dots_is_no_host_name() -> None:
    assert pieces(["SG.AbCdEf12345.Zz09"]) == {"SG.AbCdEf12345.Zz09"}


@pytest.mark.parametrize("form", [SECRET, base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex()])
def test_a_secret_is_found_in_every_spelling(form: str) -> None:
    sought = Sought.of({"TOKEN": SECRET})
    assert sought.in_text(f'{{"token": "{form}"}}'.encode()) == {"TOKEN"}
    assert sought.in_text(b"harmless text of about the same length") == set()


def test_a_search_holds_no_secret() -> None:
    sought = Sought.of({"TOKEN": SECRET})
    assert not any(
        piece in json.dumps(list(sought.names)) for value in spelled(SECRET) for piece in pieces([value])
    )


@pytest.mark.parametrize("kind", ["ec", "openssh"])
def test_of_a_key_only_what_is_private_is_searched(kind: str) -> None:
    """Its public half is in certificates and known_hosts."""
    one, other = (_key(kind) for _ in range(2))
    assert pieces([one])
    assert not pieces([one]) & pieces([other])
    private = serialization.load_ssh_private_key if kind == "openssh" else serialization.load_pem_private_key
    public = private(one.encode(), None).public_key()
    shown = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert not any(piece in shown.decode() for piece in pieces([one]))


def _key(kind: str) -> str:
    if kind == "openssh":
        made = ed25519.Ed25519PrivateKey.generate()
        form = serialization.PrivateFormat.OpenSSH
        return made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Authorization: Bearer " + "q" * 30, "a bearer token"),
        ("key AKIA" + "QWERTYUIOPASDFGH", "an AWS access key"),
        ("connecting to postgres://app:Zk3vQ9secret@db/x", "a password in a URL"),
        ("connecting to postgres://app:***@db/x", ""),
        ("GET /articles/the-bearer-of-news", ""),
    ],
)
def test_a_log_line_is_judged_by_its_look(line: str, kind: str) -> None:
    wanted: dict[str, object] = {
        "digests": [],
        "lengths": [],
        "separators": [],
        "known": {},
        "logged": LOGGED,
        "names": [],
        "salt": "",
    }
    source = (
        Path(leak_search.__file__).read_text().replace("WANTED: dict[str, Any] = {}", f"WANTED = {wanted!r}")
    )
    asked = source.replace('__name__ == "__main__"', "True").replace(
        "    main()", "    print(kinds(input().encode(), LOGGED))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", asked], input=line, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (repr({kind}) if kind else "set()")


def test_what_only_packages_write_is_not_read() -> None:
    read = (
        "/dev",
        "/dev/shm/x",
        "/usr",
        "/usr/local/bin/x",
        "/var/log/app.log",
        "/run/systemd/system/x.service",
    )
    assert [path for path in read if leak_search.NOT_READ.match(path)] == []
    left = (
        "/usr/bin/env",
        "/usr/share",
        "/dev/pts",
        "/proc",
        "/var/lib/dpkg/info",
        "/srv/a/node_modules/x",
        "/run/udev",
    )
    assert [path for path in left if not leak_search.NOT_READ.match(path)] == []


def test_separators_are_single_bytes() -> None:
    assert max(map(ord, SEPARATORS)) < 128

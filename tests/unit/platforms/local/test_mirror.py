from pathlib import Path

from slipway.platforms.local.debian import parse_targets

DEBIAN = """\
Debian|bookworm|main|http://mirror.example/debian/|/etc/apt/sources.list.d/debian.sources:1
Debian|bookworm-updates|main|http://mirror.example/debian/|/etc/apt/sources.list.d/debian.sources:1
Debian|bookworm-security|main|http://mirror.example/security/|/etc/apt/sources.list.d/debian.sources:7
Debian|bookworm-backports|main|http://mirror.example/debian/|/etc/apt/sources.list.d/debian.sources:1
Node|nodistro|main|https://node.example/|/etc/apt/sources.list.d/node.sources:1
"""


def test_the_machines_own_mirror_and_security_archive_are_used():
    mirror = parse_targets("bookworm", DEBIAN)
    assert mirror
    assert mirror.main == "http://mirror.example/debian"
    assert mirror.sources_list(None).splitlines() == [
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/debian bookworm-updates main",
        "deb http://mirror.example/security bookworm-security main",
    ]


def test_another_suite_is_taken_from_the_same_archives_with_its_security_updates():
    mirror = parse_targets("trixie", DEBIAN)
    assert mirror
    assert mirror.sources == (
        ("http://mirror.example/debian", "trixie"),
        ("http://mirror.example/debian", "trixie-updates"),
        ("http://mirror.example/security", "trixie-security"),
    )


def test_a_machine_without_a_debian_archive_has_no_mirror():
    assert parse_targets("bookworm", "Ubuntu|noble|main|http://ubuntu.example/|x:1\n") is None
    assert parse_targets("bookworm", "") is None


def test_a_company_mirror_brings_its_own_keys(tmp_path: Path):
    keyring, sources = tmp_path / "company.gpg", tmp_path / "debian.sources"
    keyring.write_bytes(b"keys")
    sources.write_text(f"Types: deb\nURIs: http://mirror.example/debian\nSigned-By: {keyring}\n")
    mirror = parse_targets("bookworm", f"|bookworm|main|http://mirror.example/debian/|{sources}:1\n")
    assert mirror
    assert mirror.keyring == keyring
    assert "[signed-by=/k.gpg] " in mirror.sources_list("/k.gpg")

import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from slipway.platforms import authority
from slipway.platforms.local.keys import ensure_certificates

NAMES = ["board.test", "localhost", "127.0.0.1"]


def ensure(folder: Path, names: Sequence[str] = NAMES) -> tuple[Path, Path]:
    """The files of the CA's certificate and of the one certificate that is signed by it."""
    made = ensure_certificates(folder, "board-local", {"site": names})
    return made.ca, made.servers["site"]


def test_a_leaf_is_valid_for_its_names_under_the_ca(tmp_path: Path):
    ca, leaf = ensure(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(leaf)
    client = ssl.create_default_context(cafile=ca)
    for name in NAMES:
        handshake(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server, "other.test")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def test_nothing_is_made_again_while_it_is_good(tmp_path: Path):
    before = [path.read_bytes() for path in ensure(tmp_path)]
    assert [path.read_bytes() for path in ensure(tmp_path)] == before


def test_keys_are_readable_by_their_owner_only(tmp_path: Path):
    ca, leaf = ensure(tmp_path)
    assert [path.stat().st_mode & 0o777 for path in (ca.with_suffix(".key"), leaf)] == [0o600, 0o600]


def test_a_leaf_is_renewed_when_its_names_change_or_its_end_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ensure(tmp_path)
    monkeypatch.setattr(authority, "LEAF_DAYS", 29)
    first = ensure(tmp_path, [*NAMES, "more.test"])[1].read_bytes()
    monkeypatch.undo()
    second = ensure(tmp_path, [*NAMES, "more.test"])[1].read_bytes()
    third = ensure(tmp_path, ["other.test"])[1].read_bytes()
    assert len({first, second, third}) == 3
    life = x509.load_pem_x509_certificate(second)
    assert life.not_valid_after_utc - life.not_valid_before_utc <= timedelta(days=398)


def test_a_leaf_of_another_ca_or_without_its_key_is_made_anew(tmp_path: Path):
    ca, leaf = ensure(tmp_path)
    held = leaf.read_bytes()
    leaf.write_bytes(held[: held.index(b"-----BEGIN PRIVATE")])
    ensure(tmp_path)
    renewed = leaf.read_bytes()
    assert b"PRIVATE KEY" in renewed
    ca.unlink()
    ensure(tmp_path)
    assert leaf.read_bytes() != renewed

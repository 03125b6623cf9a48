"""Redis' password: judged by what a real Redis answers over TLS."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from slipway.platforms.aws.data_logins import Door, Strategy, ask, ensure_token, steps
from slipway.platforms.aws.session import session_of
from slipway.progress import Silent
from slipway.settings import SlipwayError
from tests.infra.platform.here import here
from tests.infra.platform.world import World
from tests.ports import free_port
from tests.s3 import wait_for_port

TOKEN = "a-token-of-24-bytes-or-more"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    # -I would keep Python from the variable above on some systems; OpenSSL reads it all the same.
    assert os.environ["SSL_CERT_FILE"]
    return made


@contextmanager
def redis(folder: Path, authority: trustme.CA, *options: str) -> Generator[str]:
    """Its URL, as the stack outputs have it."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis: install redis-server")
    port, certificate = free_port(), authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "redis.crt"))
    certificate.private_key_pem.write_to_path(str(folder / "redis.key"))
    process = subprocess.Popen(
        [
            *(program, "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""),
            *("--tls-cert-file", str(folder / "redis.crt"), "--tls-key-file", str(folder / "redis.key")),
            *("--tls-auth-clients", "no", "--dir", str(folder), "--tls-ca-cert-file", str(folder / "ca.pem")),
            *options,
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        yield f"rediss://:${{secret:PLATFORM_REDIS_PASSWORD}}@localhost:{port}/0"
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_redis_that_is_open_to_all_is_seen(tmp_path: Path, authority: trustme.CA):
    with redis(tmp_path, authority) as url:
        assert ask(here(), url, TOKEN) == Door(open=True, known=False)


def test_redis_that_takes_only_our_token_is_seen(tmp_path: Path, authority: trustme.CA):
    with redis(tmp_path, authority, "--requirepass", TOKEN) as url:
        assert ask(here(), url, TOKEN) == Door(open=False, known=True)


def test_redis_that_takes_only_another_token_is_seen(tmp_path: Path, authority: trustme.CA):
    with redis(tmp_path, authority, "--requirepass", "another") as url:
        assert ask(here(), url, TOKEN) == Door(open=False, known=False)


def test_redis_between_rotate_and_set_takes_both(tmp_path: Path, authority: trustme.CA):
    """ElastiCache's own state, which no Redis has: it answers strangers, and knows the token."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(2):
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as tls:
                    tls.sendall(b"+PONG\r\n" if b"PING" in tls.recv(200) else b"+OK\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"rediss://:${{secret:X}}@localhost:{listener.getsockname()[1]}/0"
        assert ask(here(), url, TOKEN) == Door(open=True, known=True)
        thread.join()


def test_a_redis_whose_certificate_is_not_trusted_hears_no_token(tmp_path: Path, authority: trustme.CA):
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        redis(tmp_path, authority) as url,
        pytest.raises(SlipwayError, match="web-here cannot ask Redis at localhost") as caught,
    ):
        ask(here(), url, TOKEN)
    assert "certificate verify failed" in caught.value.message
    assert TOKEN not in caught.value.message


@pytest.mark.parametrize(
    ("door", "wanted"),
    [
        (Door(open=True, known=False), ["ROTATE", "SET"]),
        (Door(open=True, known=True), ["SET"]),
        (Door(open=False, known=True), []),
        (Door(open=False, known=False), ["ROTATE"]),
    ],
)
def test_elasticache_is_asked_only_for_what_is_missing(door: Door, wanted: list[Strategy]):
    assert steps(door) == wanted


def test_elasticache_is_asked_once(world: World, tmp_path: Path, authority: trustme.CA):
    world.client("elasticache").create_replication_group(
        ReplicationGroupId="board-prod", ReplicationGroupDescription="Redis", Engine="redis",
        CacheNodeType="cache.t4g.small", TransitEncryptionEnabled=True,
    )  # fmt: skip
    session = session_of(world.project)
    asked: list[str] = []
    call = session.call

    def hear(service: str, operation: str, /, **given: object) -> dict[str, object]:
        if operation == "modify_replication_group":
            asked.append(f"{given['AuthTokenUpdateStrategy']} {given['AuthToken'] == TOKEN}")
        return call(service, operation, **given)

    session.call = hear  # type: ignore[method-assign]
    with redis(tmp_path, authority) as url:
        ensure_token(session, "board-prod", url, TOKEN, here(), Silent())
    assert asked == ["ROTATE True", "SET True"]
    with redis(tmp_path, authority, "--requirepass", TOKEN) as url:
        ensure_token(session, "board-prod", url, TOKEN, here(), Silent())
    assert len(asked) == 2

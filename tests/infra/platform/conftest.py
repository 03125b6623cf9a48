"""moto's server, and a project whose stack lives in it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from slipway.platforms.aws import session
from slipway.secrets.ssh_signature import make_key, public_of
from slipway.settings import App, Project, Stack
from tests.infra.platform.way import Way, build
from tests.infra.platform.world import ACCOUNT, REGION, World


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of somebody who is signed in, and nothing of this machine's own."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret-just-a-test")
    session.session_for.cache_clear()
    return monkeypatch


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    stack = Stack.model_validate(
        {
            "name": "prod",
            "project": "board",
            "platform": "aws",
            "domain": "board.example",
            "aws": {"account": ACCOUNT, "region": REGION},
        }
    )
    app = App.model_validate(
        {
            "name": "board",
            "runtime": {"name": "none"},
            "processes": {"web": {"command": "./serve"}, "worker": {"command": "./work", "role": "worker"}},
        }
    )
    (tmp_path / "signers").mkdir()
    make_key(tmp_path / "signing", "")
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY_FILE", str(tmp_path / "signing"))
    (tmp_path / "signers/prod").write_text(f"ana@example.com {public_of(tmp_path / 'signing')}\n")
    return Project(
        root=tmp_path, stack=stack, app=app, app_dir=tmp_path, state_dir=tmp_path / ".slipway/prod"
    )


@pytest.fixture
def world(moto_url: str, aws_env: pytest.MonkeyPatch, project: Project) -> World:
    """An empty account."""
    reset = urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    aws_env.setenv("AWS_ENDPOINT_URL", moto_url)
    return World(moto_url, project)


@pytest.fixture
def way(tmp_path: Path, aws_env: pytest.MonkeyPatch) -> Iterator[Way]:
    with build(tmp_path, aws_env) as made:
        yield made

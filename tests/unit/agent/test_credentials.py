"""The app's credentials on AWS: its own role's, from the agent, for those that know the token."""

import json
import socket
import threading
import time
from collections.abc import Generator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.credentials import ContainerProvider
from moto.server import ThreadedMotoServer

from hosts.agent import credentials, envfile, preview_record, stage
from hosts.agent.aws import Cloud
from hosts.agent.json_object import JsonObject
from tests.fleet.metadata import Metadata
from tests.ports import free_port
from tests.unit.agent.conftest import TICKET, WEB, World

APP, HOST = (f"arn:aws:iam::123456789012:role/board-prod-{name}" for name in ("app", "web"))


@pytest.fixture(scope="module")
def moto() -> Generator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def sts(url: str, key: str | None, secret: str | None, token: str | None = None) -> Any:
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
    return boto3.client("sts", endpoint_url=url, region_name="us-east-1", **keys)  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportArgumentType, reportUnknownVariableType]


@pytest.fixture
def on_aws(world: World, moto: str) -> Generator[World]:
    """A host whose metadata service gives out the credentials of the host's role."""
    given = sts(moto, "a", "b").assume_role(RoleArn=HOST, RoleSessionName="i-1")["Credentials"]
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    keys = {"AccessKeyId": given["AccessKeyId"], "SecretAccessKey": given["SecretAccessKey"]}
    served = Metadata("127.0.0.1", {**keys, "Token": given["SessionToken"], "Expiration": ends}, {})
    endpoints = {"imds": served.url, "sts": moto}
    Path(world.paths.endpoints).write_text(json.dumps({"endpoints": endpoints}))
    content = json.loads(Path(world.paths.host).read_text())
    content["cloud"] = {"region": "us-east-1", "boot_secret": "boot", "app_role": APP}
    Path(world.paths.host).write_text(json.dumps(content))
    yield world
    served.close()


@pytest.fixture
def port(on_aws: World, monkeypatch: pytest.MonkeyPatch) -> int:
    """The service runs, on a port of its own."""
    number = free_port()
    monkeypatch.setattr(credentials, "PORT", number)
    run = threading.Thread(
        target=credentials.command, args=(on_aws.paths, on_aws.host, JsonObject({}, "")), daemon=True
    )
    run.start()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                break
        time.sleep(0.05)
    return number


def test_an_sdk_finds_the_credentials_of_the_apps_own_role(on_aws: World, port: int, moto: str):
    given = credentials.environment(on_aws.paths, on_aws.host)
    assert given["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://127.0.0.1:{port}/"
    found = ContainerProvider(given).load()
    assert found
    keys = found.get_frozen_credentials()
    who = sts(moto, keys.access_key, keys.secret_key, keys.token).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::123456789012:assumed-role/board-prod-app/{on_aws.host.name}"


@pytest.mark.parametrize("token", [None, "", "x" * 64])
def test_who_does_not_know_the_token_gets_nothing(on_aws: World, port: int, token: str | None):
    """A URL that the app can be made to fetch carries no token."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/", headers={} if token is None else {"Authorization": token})
    answer = connection.getresponse()
    assert answer.status == 403
    assert b"AccessKeyId" not in answer.read()


def test_a_client_that_hangs_up_or_talks_rubbish_does_not_end_the_service(on_aws: World, port: int):
    for said in (b"", b"\0\xff\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"x" * 40_000):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(said)
    assert ContainerProvider(credentials.environment(on_aws.paths, on_aws.host)).load()


def test_credentials_are_kept_and_renewed_before_they_end(on_aws: World, monkeypatch: pytest.MonkeyPatch):
    given = credentials.Credentials(on_aws.paths, on_aws.host)
    token = credentials.environment(on_aws.paths, on_aws.host)[credentials.TOKEN]
    head = f"GET / HTTP/1.1\r\nAuthorization: {token}"
    first = given.answer(head)
    assert given.answer(head) == first
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 2800)
    status, second = given.answer(head)
    assert status == "200 OK"
    assert second["AccessKeyId"] != first[1]["AccessKeyId"]


def test_every_scope_but_the_migration_gets_the_place_and_no_log_shows_the_token(on_aws: World):
    manifest: dict[str, object] = {"layers": [], "processes": {"web": WEB}}
    wanted: dict[str, Any] = {
        "build": "b1",
        "config": "c",
        "ticket": TICKET,
        "env": {"task": {}, "migrate": {}},
    }
    on_aws.ask(stage.command, fence=1, release=1, manifest=manifest, **wanted)
    read = {scope: envfile.read(on_aws.paths, "blue", scope) for scope in ("web", "task", "migrate")}
    assert [scope for scope, values in read.items() if credentials.TOKEN in values] == ["web", "task"]
    token = read["web"][credentials.TOKEN]
    assert token in envfile.secrets(on_aws.paths, on_aws.state.slots["blue"])


def test_an_app_without_a_role_gets_no_place(world: World):
    assert credentials.environment(world.paths, world.host) == {}


def preview_with_uploads(world: World, name: str) -> preview_record.Preview:
    """A preview of this host whose uploads are in the shared bucket."""
    paths = preview_record.PreviewPaths(world.paths.root)
    made = preview_record.new(paths, name)
    made.uploads = {"bucket": "board-uploads", "prefix": f"users/{name}/"}
    made.save(paths)
    return made


def test_a_preview_gets_credentials_by_its_own_token_for_its_own_objects(
    on_aws: World, port: int, monkeypatch: pytest.MonkeyPatch
):
    assumed: list[dict[str, Any]] = []
    assume = Cloud.assume

    def noted(cloud: Cloud, role: str, session: str, seconds: int, policy: str = "") -> dict[str, str]:
        assumed.append(json.loads(policy))
        return assume(cloud, role, session, seconds, policy)

    monkeypatch.setattr(Cloud, "assume", noted)
    one = preview_with_uploads(on_aws, "pr-1")
    given = credentials.environment(on_aws.paths, on_aws.host, one)
    assert given["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://127.0.0.1:{port}/pr-1"
    assert ContainerProvider(given).load()
    (policy,) = assumed
    objects, listing, _ = policy["Statement"]
    assert objects["Resource"] == "arn:aws:s3:::board-uploads/users/pr-1/*"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["users/pr-1/*"]}}


def test_a_previews_token_opens_nothing_but_its_own(on_aws: World):
    one, two = preview_with_uploads(on_aws, "pr-1"), preview_with_uploads(on_aws, "pr-2")
    given = credentials.Credentials(on_aws.paths, on_aws.host)
    tokens = {
        path: credentials.environment(on_aws.paths, on_aws.host, which)[credentials.TOKEN]
        for path, which in (("/", None), ("/pr-1", one), ("/pr-2", two))
    }
    for path in (*tokens, "/pr-3", "/../pr-1", "/blue"):
        for owner, token in tokens.items():
            status, _ = given.answer(f"GET {path} HTTP/1.1\r\nAuthorization: {token}")
            assert (status == "200 OK") == (path == owner), (path, owner, status)

"""A host's own calls to AWS, against moto's server and a stand-in of the metadata service."""

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hosts.agent import cron_owner
from hosts.agent.aws import Cloud, download
from hosts.agent.errors import AgentError
from hosts.agent.imds import Imds
from tests.fleet.metadata import Metadata
from tests.unit.agent.conftest import World

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000 root@ip"
INSTANCE = "i-0123456789abcdef0"


class Moto:
    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.url, **keys)  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportArgumentType, reportUnknownVariableType]


@pytest.fixture(scope="module")
def moto() -> Generator[Moto]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Moto(f"http://{host}:{port}")
    server.stop()


@pytest.fixture
def metadata(moto: Moto) -> Generator[Metadata]:
    role = "arn:aws:iam::123456789012:role/board-prod-web"
    given = moto.client("sts").assume_role(RoleArn=role, RoleSessionName=INSTANCE)["Credentials"]
    served = Metadata("127.0.0.1", credentials(given["AccessKeyId"], given["SessionToken"], 3600), {})
    yield served
    served.close()


def credentials(key: str, token: str = "t", seconds: float = 3600) -> dict[str, str]:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return {"AccessKeyId": key, "SecretAccessKey": "secret", "Token": token, "Expiration": ends}


@pytest.fixture
def aws(world: World, moto: Moto, metadata: Metadata) -> World:
    """A host whose services are those of the test."""
    endpoints = {"imds": metadata.url, "sts": moto.url, "s3": moto.url, "secretsmanager": moto.url}
    Path(world.paths.endpoints).write_text(json.dumps({"endpoints": endpoints}))
    cloud = {"region": "us-east-1", "boot_secret": "boot"}
    builds = {"bucket": "builds", "endpoint": moto.url, "access_key": "", "secret_key": ""}
    Path(world.paths.host).write_text(
        json.dumps({"host": "web-9abcdef0", "role": "web", "builds": builds, "cloud": cloud})
    )
    moto.client("s3").create_bucket(Bucket="builds")
    return world


def test_the_metadata_service_is_asked_with_a_token_only(metadata: Metadata):
    metadata.texts["meta-data/instance-id"] = INSTANCE
    assert Imds(metadata.url).get("meta-data/instance-id") == INSTANCE
    with pytest.raises(FileNotFoundError):
        Imds(metadata.url).get("meta-data/nothing")


def test_credentials_are_kept_and_fetched_anew_before_they_end(metadata: Metadata):
    imds = Imds(metadata.url)
    path = "meta-data/iam/security-credentials/host-role"
    metadata.texts[path] = json.dumps(credentials("first", seconds=3600))
    assert imds.credentials().access_key == "first"
    metadata.texts[path] = json.dumps(credentials("second", seconds=200))
    assert imds.credentials().access_key == "first", "good for an hour: not asked again"
    imds.credentials().expires = time.time() + 200
    assert imds.credentials().access_key == "second", "ends in three minutes: asked again"
    metadata.texts[path] = json.dumps(credentials("third"))
    assert imds.credentials().access_key == "third"


def test_a_host_without_a_key_reads_builds_as_its_role(aws: World, moto: Moto, metadata: Metadata):
    moto.client("s3").put_object(Bucket="builds", Key="layers/x", Body=b"layer")
    builds = aws.host.builds()
    assert b"".join(download(builds, "layers/x", "")) == b"layer"
    assert builds.credentials().token, "a role's credentials are temporary"
    metadata.texts = {}
    with pytest.raises(AgentError) as refused:
        b"".join(download(aws.host.builds(), "layers/x", ""))
    assert refused.value.code == "builds_unreachable"


def test_the_host_key_is_published_under_the_hosts_own_id(aws: World, moto: Moto):
    Path(aws.paths.host_key).parent.mkdir(parents=True, exist_ok=True)
    Path(aws.paths.host_key).write_text(KEY)
    answer = aws.ask(cron_owner.publish_host_key)
    assert answer["user_id"].startswith("AROA")
    assert answer["user_id"].endswith(f":{INSTANCE}")
    written = moto.client("s3").get_object(Bucket="builds", Key=f"hosts/{answer['user_id']}")["Body"].read()
    assert written.decode() == " ".join(KEY.split()[:2]) + "\n"


def test_a_secret_that_has_no_value_yet_is_none_and_one_that_has_is_its_newest(aws: World, moto: Moto):
    arn = moto.client("secretsmanager").create_secret(Name="boot/web")["ARN"]
    cloud = Cloud(aws.paths, "us-east-1")
    assert cloud.secret(arn) is None
    for text in ("one", "two"):
        moto.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)
    assert cloud.secret(arn) == "two"


def test_a_service_out_of_reach_is_told_by_name(aws: World):
    content = json.loads(Path(aws.paths.endpoints).read_text())
    content["endpoints"]["secretsmanager"] = "http://127.0.0.1:9"
    Path(aws.paths.endpoints).write_text(json.dumps(content))
    with pytest.raises(AgentError, match=r"secretsmanager at 127\.0\.0\.1:9") as refused:
        Cloud(aws.paths, "us-east-1").secret("arn")
    assert refused.value.code == "cloud"

"""The way to a host: a real OpenSSH client and server, and between them a stand-in for AWS' plugin."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import testinfra  # pyright: ignore[reportMissingTypeStubs]

from slipway.fleet.ssh import Connection, HostDown
from slipway.platforms.aws.session import AwsSession
from slipway.platforms.aws.tunnel import (
    RENEW_SECONDS,
    direct_endpoint,
    find_plugin,
    ssh_key,
    without_botocore,
)
from slipway.settings import BadInput
from tests.infra.platform.fake_aws import Refuse
from tests.infra.platform.way import INSTANCE, NAME, TOKEN, Way


def test_a_host_is_reached_by_a_key_that_was_let_in_for_this_one_connection(way: Way):
    connection = Connection(NAME, way.config())
    assert connection.run(["cat"], b"over Systems Manager").stdout == "over Systems Manager"
    assert sorted(way.fake.heard) == ["SendSSHPublicKey", "StartSession"]


def test_the_kept_connection_asks_aws_for_nothing_again(way: Way):
    connection = Connection(NAME, way.config())
    connection.open()
    for _ in range(3):
        connection.run(["true"])
    assert len(way.fake.heard) == 2


def test_the_token_is_in_no_argument(way: Way):
    Connection(NAME, way.config()).open()
    (note,) = way.notes
    assert note["token"] == TOKEN
    assert TOKEN not in json.dumps(note["argv"])
    assert TOKEN not in way.config().read_text()


def test_a_host_that_shows_another_key_than_it_published_is_not_spoken_to(way: Way):
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEdkuE7RjrhDAfLsmIoMm4GDSS6qfNZfmAV3rrJRN3bM"
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config(host_key=other)).open()
    assert caught.value.kind == "key mismatch"


@pytest.fixture(params=["environment", "profile"])
def signed_in(request: pytest.FixtureRequest, aws_env: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Credentials in the environment are signed with here; those of a profile are botocore's to find."""
    if request.param == "profile":
        keys = [os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        file = tmp_path / "credentials"
        file.write_text("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n".format(*keys))
        aws_env.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        aws_env.delenv("AWS_ACCESS_KEY_ID")
        aws_env.delenv("AWS_SECRET_ACCESS_KEY")
    return request.param


def test_whoever_is_signed_in_gets_through(way: Way, signed_in: str):
    assert Connection(NAME, way.config()).run(["echo", signed_in]).stdout.strip() == signed_in
    assert sorted(way.fake.heard) == ["SendSSHPublicKey", "StartSession"]


def test_throttled_sessions_are_asked_for_again(way: Way, signed_in: str):
    started, left = way.fake.answers["StartSession"], [2]

    def busy(asked: dict[str, Any]) -> dict[str, Any]:
        left[0] -= 1
        if left[0] >= 0:
            raise Refuse("ThrottlingException")
        return started(asked)

    way.fake.answers["StartSession"] = busy
    assert Connection(NAME, way.config()).run(["true"]).code == 0
    assert way.fake.heard.count("StartSession") == 3


def test_what_aws_refuses_is_told_as_the_reason(way: Way, signed_in: str):
    way.fake.answers["StartSession"] = way.fake.refusing("AccessDeniedException", "no")
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config()).open()
    assert caught.value.kind == "no session"
    assert "may not do ssm:StartSession" in caught.value.details[0]


def test_a_host_whose_agent_is_silent_is_told_in_aws_own_words(way: Way):
    way.fake.answers["StartSession"] = way.fake.refusing(
        "TargetNotConnected", f"{INSTANCE} is not connected."
    )
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config()).open()
    assert f"TargetNotConnected: {INSTANCE} is not connected." in caught.value.details[0]
    assert "SSM agent online" in caught.value.remedy


def test_without_the_plugin_no_session_is_started(way: Way, aws_env: pytest.MonkeyPatch, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("ssh", "sh", "ssh-keygen"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    aws_env.setenv("PATH", str(tools))
    with pytest.raises(HostDown) as caught:
        Connection(NAME, way.config()).open()
    assert "session-manager-plugin is not on PATH" in caught.value.details[0]
    assert way.fake.heard == []


def test_testinfra_takes_the_same_way(way: Way):
    found = testinfra.get_host(f"ssh://{NAME}", ssh_config=str(way.config()))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    assert found.run("echo here").stdout.strip() == "here"  # pyright: ignore[reportUnknownMemberType]


def test_the_plugin_must_be_there_and_new_enough(way: Way, aws_env: pytest.MonkeyPatch):
    assert find_plugin() == "1.2.707.0"
    aws_env.setenv("RELAY_VERSION", "1.2.497.0")
    with pytest.raises(BadInput, match="is too old"):
        find_plugin()
    aws_env.setenv("RELAY_VERSION", "nonsense")
    with pytest.raises(BadInput, match="does not print its version"):
        find_plugin()
    aws_env.setenv("PATH", "/nowhere")
    with pytest.raises(BadInput, match="is not on PATH") as caught:
        find_plugin()
    assert "install it" in caught.value.remedy


def test_the_operators_key_is_made_anew_twice_a_day(tmp_path: Path):
    key = ssh_key(tmp_path)
    public = key.with_name("operator.pub")
    first = public.read_text()
    assert ssh_key(tmp_path).with_name("operator.pub").read_text() == first
    old = time.time() - RENEW_SECONDS - 1
    os.utime(public, (old, old))
    assert ssh_key(tmp_path).with_name("operator.pub").read_text() != first
    assert key.stat().st_mode & 0o777 == 0o600


def test_the_way_imports_little():
    script = "import sys, slipway.platforms.aws.tunnel; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not {"botocore", "pydantic", "pyinfra"} & set(loaded.split())


@pytest.mark.parametrize(
    ("env", "region", "profile", "expected"),
    [
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "us-east-1", "", True),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "us-east-1", "mine", False),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "cn-north-1", "", False),
        (
            {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_USE_FIPS_ENDPOINT": "true"},
            "us-east-1",
            "",
            False,
        ),
        ({"AWS_ACCESS_KEY_ID": "a"}, "us-east-1", "", False),
    ],
)
def test_what_botocore_knows_better_is_left_to_it(
    env: dict[str, str], region: str, profile: str, expected: bool
):
    assert without_botocore(region, profile, env) is expected


def test_endpoints_are_botocores(aws_env: pytest.MonkeyPatch):
    for moved in ({}, {"AWS_ENDPOINT_URL": "http://all:1"}, {"AWS_ENDPOINT_URL_SSM": "http://ssm:2"}):
        for name, value in moved.items():
            aws_env.setenv(name, value)
        for service in ("ssm", "ec2-instance-connect"):
            assert direct_endpoint(service, "eu-west-3") == AwsSession("eu-west-3").endpoint(service)

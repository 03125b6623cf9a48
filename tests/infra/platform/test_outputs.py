from pathlib import Path

import pytest

from slipway.platforms.aws.open import read_outputs
from slipway.platforms.aws.session import session_of
from slipway.settings import BadInput, Outputs
from slipway.stack import LiveStack
from tests.infra.platform.world import World


def read(world: World) -> Outputs:
    return read_outputs(session_of(world.project), world.project)


def pulumi(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_outputs_come_from_the_parameter_that_pulumi_wrote(world: World):
    assert read(world := _provisioned(world)) == world.outputs()


def _provisioned(world: World) -> World:
    world.provision()
    return world


def test_a_stack_that_was_never_provisioned_says_what_to_do(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        BadInput, match="prod is not up: there is no SSM parameter /slipway/board/prod"
    ) as caught:
        read(world)
    assert "the pulumi CLI is not on PATH" in caught.value.message
    assert caught.value.remedy.startswith("slipway up --stack prod")


def test_in_another_account_the_account_is_what_is_wrong(world: World):
    stack = world.project.stack
    assert stack.aws
    other = stack.model_copy(update={"aws": stack.aws.model_copy(update={"account": "210987654321"})})
    object.__setattr__(world.project, "stack", other)
    with pytest.raises(BadInput, match="may only be in account 210987654321"):
        read(world)


def test_without_the_parameter_pulumi_is_asked(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expected = world.outputs()
    (tmp_path / "outputs.json").write_text(expected.model_dump_json())
    check = '[ "$*" = "stack output --json --non-interactive --stack prod" ] || exit 9'
    pulumi(world, tmp_path, monkeypatch, f"{check}; cat {tmp_path}/outputs.json")
    assert read(world) == expected


def test_what_pulumi_says_instead_is_told(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pulumi(world, tmp_path, monkeypatch, "echo 'error: no stack named prod found' >&2; exit 255")
    with pytest.raises(BadInput, match="error: no stack named prod found"):
        read(world)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no json", "holds no JSON"),
        ("{}", "is not what this version writes"),
        (None, "is of another stack or platform: preview"),
    ],
)
def test_a_parameter_that_is_not_ours_to_read_is_refused(world: World, value: str | None, problem: str):
    if value is None:
        value = world.outputs().model_copy(update={"stack": "preview"}).model_dump_json()
    world.client("ssm").put_parameter(Name=world.names.outputs_parameter, Type="String", Value=value)
    with pytest.raises(BadInput, match=problem) as caught:
        read(world)
    assert "/slipway/board/prod/outputs" in caught.value.message


def test_a_command_opens_the_stack_once_and_has_its_bucket_and_secrets(world: World):
    world.provision()
    world.launch("web", 1)
    late = world.launch("worker", 1, publish=False)[0]
    opened = LiveStack(world.project)
    outputs = opened.outputs
    assert outputs is opened.outputs
    assert [host.role for host in outputs.hosts] == ["web"]
    assert list(opened.absent) == [f"worker-{late[-8:]}"]
    opened.bucket.put_json("x", {"a": 1})
    body = world.client("s3").get_object(Bucket=world.names.bucket("builds"), Key="x")["Body"]
    assert body.read() == b'{"a":1}'
    assert opened.secrets == {}
    assert opened.ledger.live() is None

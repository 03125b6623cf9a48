import pytest

from slipway.doctor.stack import brought_up
from slipway.platforms.aws.platform import AwsPlatform, programs
from slipway.platforms.platform import other_secrets, platform_of
from slipway.settings import BadInput
from slipway.stack import LiveStack
from tests.infra.platform.way import Way
from tests.infra.platform.world import World


def test_what_a_stack_on_aws_needs_here_is_looked_at(world: World, way: Way):
    (account,) = AwsPlatform(world.project).credentials()
    assert (account.level, "123456789012" in account.what) == ("ok", True)
    found = {finding.what: finding.level for finding in programs()}
    assert found["session-manager-plugin 1.2.707.0 is installed"] == "ok"


def test_what_is_missing_here_is_told_with_its_remedy(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    plugin, pulumi, aws = programs()
    assert (plugin.level, pulumi.level, aws.level) == ("fail", "warn", "warn")
    assert "install it" in plugin.remedy


def test_a_wrong_account_is_found(world: World):
    stack = world.project.stack
    assert stack.aws
    other = stack.model_copy(update={"aws": stack.aws.model_copy(update={"account": "210987654321"})})
    object.__setattr__(world.project, "stack", other)
    with pytest.raises(BadInput, match="may only be in account"):
        list(AwsPlatform(world.project).credentials())


def test_instances_that_are_no_hosts_yet_are_told(world: World):
    world.provision()
    (late,) = world.launch("web", 1, publish=False)
    _, starting, none = brought_up(LiveStack(world.project))
    assert (starting.level, none.level) == ("warn", "fail")
    assert f"web-{late[-8:]} is still starting" in starting.what


def test_on_another_platform_nothing_of_aws_is_examined(world: World):
    stack = world.project.stack.model_copy(update={"platform": "local", "aws": None})
    object.__setattr__(world.project, "stack", stack)
    names = {each.__name__ for each in platform_of(world.project).examinations()}
    assert names == {"docker", "ports", "age_key"}


def test_a_value_that_another_stack_of_the_account_has_is_seen_and_other_platforms_ask_no_aws(world: World):
    root = world.project.root
    (root / "Pulumi.yaml").write_text("name: board\nruntime: python\n")
    settings = (
        "config:\n  slipway:platform: aws\n  slipway:domain: p.example\n"
        '  slipway:aws:\n    account: "{}"\n    hosted_zone: Z0123456789ABC\n'
    )
    (root / "Pulumi.preview.yaml").write_text(settings.format("123456789012"))
    (root / "Pulumi.far.yaml").write_text(settings.format("210987654321"))
    world.client("secretsmanager").create_secret(Name="slipway/board/preview/app", SecretString='{"A": "1"}')
    assert other_secrets(world.project) == {"preview": {"A": "1"}}
    local = world.project.stack.model_copy(update={"platform": "local", "aws": None})
    object.__setattr__(world.project, "stack", local)
    assert other_secrets(world.project) == {}

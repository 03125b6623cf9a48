"""An empty account gets what a first `up` needs, once: moto's server, and answers for Service Quotas."""

from __future__ import annotations

import json
import stat
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.cli import bootstrap as command
from slipway.platforms.aws.bootstrap import bootstrap
from slipway.platforms.platform import Bootstrapped, platform_of
from slipway.progress import Silent
from slipway.settings import BadInput, Project
from slipway.settings.aws import Aws
from tests.infra.platform.fake_aws import FakeAws, serve
from tests.infra.platform.world import ACCOUNT, REGION, World

GITHUB = {"repository": "acme/board", "owner_id": 12, "repository_id": 34}
BACKEND = f"s3://board-state-{ACCOUNT}-{REGION}?region={REGION}&awssdk=v2"
PROVIDER = f"awskms://alias/slipway/board/state?region={REGION}&awssdk=v2"
OURS = "# Ours.\nconfig:\n  slipway:platform: aws\n"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/board-prod-provision"


@pytest.fixture
def quotas(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """Service Quotas with room for everything, which remembers what was requested."""
    # moto's server has AWS's own policies only if it is asked for them when it is made.
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    request = urllib.request.Request(f"{world.url}/moto-api/reset", method="POST")
    urllib.request.urlopen(request).close()
    with serve() as fake:
        fake.answers["GetServiceQuota"] = lambda asked: {"Quota": {"Value": 64.0}}
        fake.answers["ListRequestedServiceQuotaChangeHistoryByQuota"] = lambda asked: {"RequestedQuotas": []}
        fake.answers["RequestServiceQuotaIncrease"] = lambda asked: {"RequestedQuota": {"Id": "1"}}
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", fake.url)
        yield fake


@pytest.fixture
def project(project: Project) -> Project:
    aws = Aws.model_validate({"account": ACCOUNT, "region": REGION, "github": GITHUB})
    (project.root / "Pulumi.prod.yaml").write_text(OURS)
    return replace(project, stack=project.stack.model_copy(update={"aws": aws}))


def reread(project: Project) -> Project:
    """The project with the zones that its file names."""
    config = yaml.safe_load((project.root / "Pulumi.prod.yaml").read_text())["config"]
    assert project.stack.aws
    aws = project.stack.aws.model_dump() | {"network": config["slipway:aws"]["network"]}
    return replace(project, stack=project.stack.model_copy(update={"aws": Aws.model_validate(aws)}))


def test_an_empty_account_gets_all_of_it(world: World, quotas: FakeAws) -> None:
    made = bootstrap(world.project, Silent())
    assert made.environment == {"PULUMI_BACKEND_URL": BACKEND}
    assert made.variables == {
        "prod": {"AWS_REGION": REGION, "AWS_ROLE": f"arn:aws:iam::{ACCOUNT}:role/board-prod-deploy"},
        "prod-provision": {
            "AWS_REGION": REGION, "AWS_PROVISION_ROLE": ROLE, "PULUMI_BACKEND_URL": BACKEND,
        },
    }  # fmt: skip
    s3, bucket = world.client("s3"), f"board-state-{ACCOUNT}-{REGION}"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert '"aws:SecureTransport": "false"' in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert "Expiration" not in rule, "the state itself stays"
    key = world.client("kms").describe_key(KeyId="alias/slipway/board/state")["KeyMetadata"]["KeyId"]
    assert world.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    role = world.client("iam").get_role(RoleName="board-prod-provision")["Role"]
    assert role["MaxSessionDuration"] == 7200
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == [
        "repo:acme/board:environment:prod-provision",
        "repo:acme@12/board@34:environment:prod-provision",
    ]
    linked = world.client("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]
    assert "/aws-service-role/rds.amazonaws.com/" in {each["Path"] for each in linked}


def test_the_stack_s_file_names_the_key_and_keeps_what_it_had(world: World, quotas: FakeAws) -> None:
    made = bootstrap(world.project, Silent())
    file = world.project.root / "Pulumi.prod.yaml"
    zones = "  slipway:aws:\n    network:\n      zone_ids: [use1-az1, use1-az2]\n"
    before, platform = OURS.split("config:\n")
    assert file.read_text() == f"secretsprovider: {PROVIDER}\n{before}config:\n{zones}{platform}"
    assert any("commit Pulumi.prod.yaml" in each for each in made.todo)


def with_aws(project: Project, settings: str = "") -> Project:
    """The same, whose file has slipway:aws."""
    text = f"# Ours.\nconfig:\n  slipway:platform: aws\n  slipway:aws:\n    # Not mine.\n{settings}"
    (project.root / "Pulumi.prod.yaml").write_text(f'{text}    account: "{ACCOUNT}"\n')
    return project


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ("", "    network:\n      zone_ids: [use1-az1, use1-az2]\n    # Not mine.\n"),
        (
            "    network:\n      nat: one\n",
            "    network:\n      zone_ids: [use1-az1, use1-az2]\n      nat: one\n",
        ),
    ],
)
def test_zones_are_asked_once_and_kept_in_the_stack_s_file(
    settings: str, line: str, world: World, quotas: FakeAws
) -> None:
    made = bootstrap(with_aws(world.project, settings), Silent())
    text = (world.project.root / "Pulumi.prod.yaml").read_text()
    assert line in text
    assert any("names the stack's zones" in each for each in made.todo)
    kept = Aws.model_validate(yaml.safe_load(text)["config"]["slipway:aws"])
    again = replace(world.project, stack=world.project.stack.model_copy(update={"aws": kept}))
    assert not any("zones" in each for each in bootstrap(again, Silent()).todo)
    assert (world.project.root / "Pulumi.prod.yaml").read_text() == text


def test_zones_for_which_the_file_has_no_line_are_named(world: World, quotas: FakeAws) -> None:
    text = f"config: {{slipway:platform: aws, slipway:aws: {{account: '{ACCOUNT}'}}}}\n"
    file = world.project.root / "Pulumi.prod.yaml"
    file.write_text(text)
    made = bootstrap(world.project, Silent())
    assert file.read_text().endswith(text)
    assert any("write slipway:aws.network.zone_ids: [use1-az1, use1-az2]" in each for each in made.todo)


def test_again_changes_nothing(world: World, quotas: FakeAws) -> None:
    first = bootstrap(world.project, Silent())
    kms, iam = world.client("kms"), world.client("iam")
    before = (len(kms.list_keys()["Keys"]), len(iam.list_roles()["Roles"]))
    text = (world.project.root / "Pulumi.prod.yaml").read_text()
    again = bootstrap(reread(world.project), Silent())
    assert (len(kms.list_keys()["Keys"]), len(iam.list_roles()["Roles"])) == before
    assert (world.project.root / "Pulumi.prod.yaml").read_text() == text
    assert again.variables == first.variables
    assert [each for each in first.todo if "commit" not in each] == list(again.todo)


def test_a_passphrase_that_is_in_use_is_not_replaced(world: World, quotas: FakeAws) -> None:
    file = world.project.root / "Pulumi.prod.yaml"
    file.write_text("encryptionsalt: v1:abc\n" + file.read_text())
    made = bootstrap(world.project, Silent())
    assert "secretsprovider" not in file.read_text()
    assert any("pulumi stack change-secrets-provider --stack prod" in each for each in made.todo)


def test_a_second_provider_of_github_is_named(world: World, quotas: FakeAws) -> None:
    made = bootstrap(world.project, Silent())
    assert any("github.provider: existing" in each for each in made.todo)
    [provider] = world.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert provider["Arn"].endswith("/token.actions.githubusercontent.com")


def test_a_provider_that_the_stack_made_itself_stays_its_own(world: World, quotas: FakeAws) -> None:
    world.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["sts.amazonaws.com"]
    )
    made = bootstrap(world.project, Silent())
    assert not any("github.provider" in each for each in made.todo)


def test_a_provider_for_another_audience_is_refused_with_what_adds_it(world: World, quotas: FakeAws) -> None:
    world.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["other"]
    )
    with pytest.raises(BadInput, match="does not know the audience") as refused:
        bootstrap(world.project, Silent())
    assert "add-client-id-to-open-id-connect-provider" in str(refused.value.remedy)


def test_quotas_that_are_too_small_are_requested_once(world: World, quotas: FakeAws) -> None:
    asked: list[dict[str, Any]] = []

    def request(given: dict[str, Any]) -> dict[str, Any]:
        asked.append(given)
        return {"RequestedQuota": {"Id": "1"}}

    quotas.answers["GetServiceQuota"] = lambda given: {
        "Quota": {"Value": 5.0 if given["QuotaCode"] == "L-1216C47A" else 64.0}
    }
    quotas.answers["RequestServiceQuotaIncrease"] = request
    made = bootstrap(world.project, Silent())
    assert asked == [{"ServiceCode": "ec2", "QuotaCode": "L-1216C47A", "DesiredValue": 10.0}]
    assert any("wait until AWS allows 10 vCPUs" in each for each in made.todo)
    quotas.answers["ListRequestedServiceQuotaChangeHistoryByQuota"] = lambda given: {
        "RequestedQuotas": [{"Status": "PENDING", "DesiredValue": 10.0}]
    }
    bootstrap(world.project, Silent())
    assert len(asked) == 1


def test_another_account_s_credentials_make_nothing(world: World, quotas: FakeAws) -> None:
    aws = Aws.model_validate({"account": "999999999999", "region": REGION, "github": GITHUB})
    foreign = replace(world.project, stack=world.project.stack.model_copy(update={"aws": aws}))
    with pytest.raises(BadInput, match="may only be in account 999999999999"):
        bootstrap(foreign, Silent())
    assert world.client("s3").list_buckets()["Buckets"] == []


def test_in_another_region_the_bucket_is_there(world: World, quotas: FakeAws) -> None:
    aws = Aws.model_validate({"account": ACCOUNT, "region": "eu-central-1"})
    there = replace(world.project, stack=world.project.stack.model_copy(update={"aws": aws}))
    made = bootstrap(there, Silent())
    assert made.variables == {}
    where = world.client("s3").get_bucket_location(Bucket=f"board-state-{ACCOUNT}-eu-central-1")
    assert where["LocationConstraint"] == "eu-central-1"


def test_only_aws_needs_it(project: Project) -> None:
    local = replace(project, stack=project.stack.model_copy(update={"platform": "local", "aws": None}))
    with pytest.raises(BadInput, match="it needs no bootstrap"):
        platform_of(local).bootstrap(Silent())


MADE = Bootstrapped({}, "acme/board", {"prod": {"AWS_REGION": "us-east-1"}}, ())


def stand_in(folder: Path, exits: int) -> Path:
    """A `gh` that writes down how it was called."""
    calls, program = folder / "calls", folder / "gh"
    program.write_text(
        "#!/usr/bin/env python3\nimport json, sys\n"
        f'open({str(calls)!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")\n'
        f'print("HTTP 403: no", file=sys.stderr)\nsys.exit({exits})\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return calls


def test_gh_makes_the_environments_and_sets_their_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in(tmp_path, 0)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert command._set_variables(MADE) == ""  # pyright: ignore[reportPrivateUsage]
    assert [json.loads(line) for line in calls.read_text().splitlines()] == [
        ["api", "--method", "PUT", "repos/acme/board/environments/prod", "--silent"],
        ["variable", "set", "AWS_REGION", "--repo", "acme/board", "--env", "prod", "--body", "us-east-1"],
    ]


def test_without_gh_or_its_rights_the_reason_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command._set_variables(MADE) == "gh is not on PATH"  # pyright: ignore[reportPrivateUsage]
    stand_in(tmp_path, 1)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert command._set_variables(MADE) == "HTTP 403: no"  # pyright: ignore[reportPrivateUsage]

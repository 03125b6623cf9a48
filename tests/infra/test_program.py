"""The program's body: without network and credentials, for every kind of stack; bad input is told once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.picture.cost import cost
from infra.policies import RULES, World, judge
from infra.proofs import prove
from infra.recording import Graph, Resource, record
from infra.recording.graph import references
from infra.recording.record import ProgramFailed
from infra.recording.schema import breaches
from slipway.platforms.aws.up import provision
from slipway.progress import Silent
from slipway.settings import BadInput, Outputs, Project, open_project
from tests.infra.conftest import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of this project's stacks, with the same program and app."""
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml", "Pulumi.preview.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "infra").mkdir()
    shutil.copy(ROOT / "infra" / "__main__.py", tmp_path / "infra")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def change(project: Path, stack: str, **settings: Any) -> None:
    """Settings of a stack; None takes one away; `aws={…}` is merged."""
    path = project / f"Pulumi.{stack}.yaml"
    document = yaml.safe_load(path.read_text())
    for key, value in settings.items():
        whole = f"slipway:{key}"
        if value is None:
            document["config"].pop(whole, None)
        elif isinstance(value, dict) and whole in document["config"]:
            merged: dict[str, Any] = {**document["config"][whole], **value}
            document["config"][whole] = {k: v for k, v in merged.items() if v is not None}
        else:
            document["config"][whole] = value
    path.write_text(yaml.safe_dump(document))


def test_the_outputs_are_the_stack_outputs(graph: Graph) -> None:
    outputs = Outputs.model_validate(graph.outputs)
    assert outputs.platform == "aws"
    assert outputs.stack == graph.stack
    assert outputs.cloud is not None
    assert set(outputs.cloud.groups) == {"web", "worker"}


def test_the_outputs_hold_names_of_secrets_and_no_values(graph: Graph) -> None:
    assert graph.secret_outputs == ()
    outputs = Outputs.model_validate(graph.outputs)
    assert outputs.database and "${secret:" in outputs.database.url
    assert outputs.redis and "${secret:" in outputs.redis.url


def test_every_reference_leads_to_a_resource_of_the_stack(graph: Graph) -> None:
    known = {resource.address for resource in graph}
    for resource in graph:
        assert {each.address for each in references(resource.inputs)} <= known, resource.where


def test_every_reference_is_a_dependency_too(graph: Graph) -> None:
    for resource in graph:
        before = all_before(graph, resource)
        for each in references(resource.inputs):
            target = graph.by_address(each.address)
            assert target is not None
            assert target.urn in before, f"{resource.where} does not depend on {each.address}"


DATA_CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"


def all_before(graph: Graph, resource: Resource) -> set[str]:
    """URNs of all that must exist before `resource`, directly or not."""
    found: set[str] = set()
    left = [resource]
    while left:
        for urn in left.pop().depends_on:
            if urn not in found and (other := graph.by_urn(urn)) is not None:
                found.add(urn)
                left.append(other)
    return found


def test_hosts_are_made_after_the_data_they_would_wait_for(graph: Graph) -> None:
    """A component's dependencies hold its children back: they need its URN first."""
    compute = next(each for each in graph if each.type == "slipway:aws:Compute")
    data = {each.urn for each in graph if each.type in ("aws:rds/instance:Instance", DATA_CACHE)}
    assert len(data) == 2
    assert data <= all_before(graph, compute)
    groups = [each for each in graph if each.type == "aws:autoscaling/group:Group"]
    assert groups
    assert all("slipway:aws:Compute$" in each.urn for each in groups)


OPEN_TO_ALL = """
import pulumi_aws
pulumi_aws.vpc.SecurityGroupIngressRule(
    "open", security_group_id="sg-1", cidr_ipv4="0.0.0.0/0", ip_protocol="tcp", from_port=22, to_port=22
)
"""


VARIANTS: dict[str, tuple[dict[str, Any], str]] = {
    "without Cloudflare": (
        {"cloudflare": None, "aws": {"hosted_zone": "Z0123456789ABCDEFGHIJ"}}, "cloudflare:",
    ),
    "without mail": ({"aws": {"mail": None}}, "aws:ses"),
    "without GitHub": ({"aws": {"github": None}}, "aws:iam/openIdConnectProvider"),
    "without a budget": ({"aws": {"budget": None}}, "aws:budgets/"),
    "without a trail": ({"aws": {"audit": False}}, "aws:cloudtrail/"),
    "with uploads on R2": ({"cloudflare": {"uploads": "r2"}}, "aws:s3/bucketCorsConfiguration"),
    "without endpoints": ({"aws": {"network": {"endpoints": False}}}, ""),
    "without the real-time Worker": (
        {"cloudflare": {"worker": False}, "env": None}, "cloudflare:index/workersScript",
    ),
    "in three zones": ({"aws": {"network": {"zones": 3}}}, ""),
    "elsewhere": ({"aws": {"region": "eu-central-1"}}, ""),
    "in zones that it keeps": ({"aws": {"network": {"zone_ids": ["use1-az6", "use1-az4"]}}}, ""),
    "small, on arm64": ({"aws": {"size": "small"}}, "aws:rds/proxy:"),
    "of baked images": ({"aws": {"image": "baked"}}, ""),
}  # fmt: skip
"""Settings, and the start of the types that then are not there."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_program_makes_every_kind_of_stack(project: Path, graphs: dict[str, Graph], variant: str) -> None:
    settings, absent = VARIANTS[variant]
    change(project, "prod", **settings)
    graph = record(project, "prod")
    assert graph != graphs["prod"]
    Outputs.model_validate(graph.outputs)
    if absent:
        assert any(each.type.startswith(absent) for each in graphs["prod"])
        assert not any(each.type.startswith(absent) for each in graph)
    assert [str(each) for each in judge(World(graph, "production"), RULES)] == []
    assert [str(each) for each in prove(graph)] == []
    assert [each for resource in graph for each in breaches(resource)] == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"aws": {"databse": {}}}, "databse"),
    "a setting of the wrong type": ({"aws": {"network": {"zones": "many"}}}, "zones"),
    "an account that is none": ({"aws": {"account": "12"}}, "account"),
    "a domain outside the zone": ({"domain": "board.example.org"}, "example.com"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_bad_input_is_told_and_nothing_is_recorded(project: Path, mistake: str) -> None:
    settings, named = BAD[mistake]
    change(project, "prod", **settings)
    with pytest.raises(BadInput) as failure:
        record(project, "prod")
    assert failure.value.exit_code == 2
    assert named in str(failure.value) + failure.value.remedy + "".join(failure.value.details)


def test_an_unknown_stack_is_told_with_those_there_are(project: Path) -> None:
    with pytest.raises(BadInput) as failure:
        record(project, "production")
    assert 'no stack "production"' in failure.value.message
    assert "prod" in failure.value.remedy


def toy(tmp_path: Path, body: str) -> Path:
    """A project whose program is `body`."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: toy\nruntime: python\nmain: infra/\n")
    (tmp_path / "infra" / "__main__.py").write_text(f"import pulumi\nimport pulumi_aws as aws\n{body}\n")
    return tmp_path


REACHING_OUT = {
    "a request": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')",
    "a swallowed request": "import socket\ntry: socket.create_connection(('', 9))\nexcept Exception: pass",
    "a look-up": "aws.get_availability_zones()",
    "a look-up of a resource": "aws.s3.Bucket.get('logs', 'logs')",
    "another program": "import subprocess; subprocess.run(['true'])",
    "AWS's own SDK": "import botocore.session; botocore.session.get_session().create_client("
    "'sts', region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b').get_caller_identity()",
}


@pytest.mark.parametrize("way", REACHING_OUT)
def test_a_program_that_reaches_out_fails(tmp_path: Path, way: str) -> None:
    with pytest.raises(ProgramFailed, match=r"used the network|calls aws|looks up"):
        record(toy(tmp_path, REACHING_OUT[way]), "dev")


def test_a_program_sees_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "canary")
    body = "import os; pulumi.export('seen', [k for k in os.environ if 'canary' in os.environ[k]])"
    assert record(toy(tmp_path, body), "dev").outputs == {"seen": []}


def test_what_fails_in_an_apply_fails_the_program(tmp_path: Path) -> None:
    body = "aws.s3.Bucket('b').arn.apply(lambda arn: 1 / 0)"
    with pytest.raises(ProgramFailed, match="division by zero"):
        record(toy(tmp_path, body), "dev")


def test_one_name_is_for_one_resource(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="URN"):
        record(toy(tmp_path, "aws.s3.Bucket('b')\naws.s3.Bucket('b')"), "dev")


def test_slipway_up_hands_the_engine_no_program_that_breaks_a_severe_rule(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]

    def up(given: Project, *_: object, **__: object) -> None:
        ran.append(given.stack.name)

    monkeypatch.setattr("slipway.platforms.pulumi.up.up", up)
    assert provision(open_project("prod", project), Silent())
    assert ran == ["prod"]
    main = project / "infra" / "__main__.py"
    main.write_text(f"{main.read_text()}\n{OPEN_TO_ALL}")
    with pytest.raises(BadInput, match="critical or high") as refused:
        provision(open_project("prod", project), Silent())
    assert "opens ports 22 to 22" in "\n".join(refused.value.details)
    assert ran == ["prod"]


@pytest.mark.parametrize(("size", "most"), [("small", 200), ("standard", 475), ("large", 1500)])
def test_a_size_costs_at_most_what_its_page_says_and_keeps_every_proof(
    project: Path, size: str, most: int
) -> None:
    change(project, "prod", aws={"size": size, "network": None})
    graph = record(project, "prod")
    assert [str(each) for each in prove(graph)] == []
    assert judge(World(graph, "production"), RULES) == []
    estimate = cost(graph)
    assert not estimate.unpriced
    assert estimate.usd <= most

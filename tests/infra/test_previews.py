"""A stack on AWS that carries previews: what it is made of, what it costs, and mistakes that are found."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.picture.cost import cost
from infra.policies import RULES, World, judge
from infra.policies.reading import texts
from infra.proofs import prove
from infra.recording import Graph, record
from infra.recording.schema import breaches
from slipway.settings import Outputs
from tests.fleet.checks.conftest import PROOF
from tests.infra.conftest import ROOT
from tests.infra.emulator.applied import Emulator
from tests.infra.emulator.terraform import find

FEWEST = 12
"""Previews by which the shared parts are divided: docs/how-to/previews.md says the same."""
ON_ROUTE53: dict[str, Any] = {
    "slipway:platform": "aws",
    "slipway:app": "examples/board",
    "slipway:domain": "previews.example.com",
    "slipway:previews": True,
    "slipway:aws": {
        "account": "123456789012",
        "hosted_zone": "Z0123456789ABCDEFGHIJ",
        "alerts": {"emails": ["dev@example.com"]},
        "github": {"repository": "example/board"},
    },
}
ON_CLOUDFLARE: dict[str, Any] = {
    **ON_ROUTE53,
    "slipway:aws": {key: value for key, value in ON_ROUTE53["slipway:aws"].items() if key != "hosted_zone"},
    "slipway:cloudflare": {
        "account": "0" * 32, "zone": "1" * 32, "zone_name": "example.com", "edge_certificate": "advanced",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["route53", "cloudflare"])
def previews(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """The stack `previews`, with its domain at either."""
    root = tmp_path_factory.mktemp("previews")
    (root / "infra").mkdir()
    for name in ("Pulumi.yaml", "infra/__main__.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "examples").symlink_to(ROOT / "examples")
    config = ON_ROUTE53 if request.param == "route53" else ON_CLOUDFLARE
    (root / "Pulumi.previews.yaml").write_text(yaml.safe_dump({"config": config}))
    return record(root, "previews")


def test_it_breaks_no_rule_no_proof_and_no_schema(previews: Graph) -> None:
    assert [str(each) for each in judge(World(previews, "preview"), RULES)] == []
    assert [str(each) for each in prove(previews)] == []
    assert [each for resource in previews for each in breaches(resource)] == []


@PROOF
def test_the_provider_makes_it_and_then_finds_nothing_to_change(previews: Graph, tmp_path: Path) -> None:
    tools = find()
    if isinstance(tools, str):
        pytest.skip(tools)
    if not previews.of("cloudflare:index/dnsRecord:DnsRecord"):
        pytest.skip("the emulator has no such zone in Route 53")
    with ExitStack() as servers:
        made = Emulator(tools, {"previews": previews}, tmp_path, tmp_path, servers).stack("previews")
        assert made.again.changes == []
        asked = sorted(f"create {each.address}" for each in previews if each.type.startswith("aws:"))
        assert made.in_full.result().changes == asked
        acm = made.ask("acm")
        (arn,) = [each["CertificateArn"] for each in acm.list_certificates()["CertificateSummaryList"]]
        certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        assert "*.previews.example.com" in certificate["SubjectAlternativeNames"]
        groups = made.ask("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        counts = {each["AutoScalingGroupName"]: len(each["Instances"]) for each in groups}
        assert counts == {"board-previews-web": 1, "board-previews-worker": 0}


def test_every_name_below_the_domain_has_a_record_and_is_in_the_certificate(previews: Graph) -> None:
    (certificate,) = previews.of("aws:acm/certificate:Certificate")
    assert certificate.inputs["subjectAlternativeNames"] == ["*.previews.example.com"]
    records = previews.of("aws:route53/record:Record", "cloudflare:index/dnsRecord:DnsRecord")
    named = {str(each.inputs["name"]): each.inputs for each in records}
    below, site = named["*.previews.example.com"], named["previews.example.com"]
    assert {**below, "name": ""} == {**site, "name": ""}
    for pack in previews.of("cloudflare:index/certificatePack:CertificatePack"):
        assert "*.previews.example.com" in pack.inputs["hosts"]


def test_one_host_carries_them_beside_one_database_and_no_other_redis(previews: Graph) -> None:
    groups = {each.inputs["name"]: each.inputs for each in previews.of("aws:autoscaling/group:Group")}
    assert (groups["board-previews-web"]["minSize"], groups["board-previews-worker"]["minSize"]) == (1, 0)
    assert not previews.of("aws:autoscaling/policy:Policy")
    assert not previews.of("aws:elasticache/replicationGroup:ReplicationGroup")
    assert len(previews.of("aws:rds/instance:Instance")) == 1
    outputs = Outputs.model_validate(previews.outputs)
    assert outputs.redis is None and outputs.cloud and outputs.cloud.database_host


def test_pages_of_previews_may_upload_and_no_others(previews: Graph) -> None:
    (cors,) = previews.of("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")
    (rule,) = cors.inputs["corsRules"]
    assert texts(rule["allowedOrigins"]) == ["https://previews.example.com", "https://*.previews.example.com"]


def test_a_preview_at_rest_costs_its_share(previews: Graph) -> None:
    estimate = cost(previews)
    assert not estimate.unpriced
    assert estimate.usd / FEWEST <= 10


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda inputs: inputs.pop(name)


MISTAKES: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "a certificate for the site alone": (
        "certificate-certificate", without("subjectAlternativeNames")
    ),
    "uploads from the site alone": (
        "storage-uploads-cors", lambda inputs: inputs["corsRules"][0]["allowedOrigins"].pop()
    ),
    "names below another site": ("-below", lambda inputs: inputs.update(name="*.example.org")),
    "no name below it": ("-below", lambda inputs: inputs.update(name="previews.example.com")),
}  # fmt: skip
"""By what it is, the end of the resource's name, and the change."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_with_names_below_the_site_is_found(previews: Graph, mistake: str) -> None:
    ending, change = MISTAKES[mistake]
    wrong = copy.deepcopy(previews)
    (resource,) = [each for each in wrong if each.name.endswith(ending)]
    change(resource.inputs)
    assert any("below" in str(each) or "*." in str(each) for each in prove(wrong))


def test_in_production_no_wildcard_may_upload(previews: Graph) -> None:
    found = judge(World(previews, "production"), RULES)
    assert any(each.control.id == "bucket-cors-names-origins" for each in found)

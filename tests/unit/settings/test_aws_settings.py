"""A stack on AWS as a user writes it: what is taken, what is refused, and with which words."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from slipway.settings import load_stack, open_project
from slipway.settings.aws import Aws
from slipway.settings.aws_fit import image_of
from slipway.settings.aws_names import AwsNames
from slipway.settings.aws_offered import ZONES, region_zones, zone_ids
from slipway.settings.aws_rules import left_placeholders
from slipway.settings.debian import aws_image
from tests.unit.settings.aws_stack import ACCOUNT, QUEUELESS, ROOT, Settings, refused, write


def test_the_smallest_stack_with_cloudflare_or_a_zone_or_a_certificate_is_taken(project: Path):
    certificate = (
        f"arn:aws:acm:eu-central-1:{ACCOUNT}:certificate/{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}"
    )
    ways: list[Settings] = [
        {},
        {"cloudflare": None, "aws": {"hosted_zone": "Z0123456789ABCDEFGHIJ"}},
        {"cloudflare": None, "aws": {"certificate": certificate}},
    ]
    for settings in ways:
        assert refused(project, **settings) == []
        assert refused(project, "preview", **settings) == []


def test_the_projects_own_stacks_are_taken():
    for name in ("prod", "preview"):
        assert open_project(name, ROOT).stack.platform == "aws"


def test_a_refusal_names_file_line_key_value_reason_and_remedy(project: Path):
    assert refused(project, aws={"load_balancer": {"slow_start_seconds": 60}}) == [
        "Pulumi.prod.yaml:12 slipway:aws.load_balancer.slow_start_seconds: must be 0 with"
        " least_outstanding_requests, got 60: AWS rejects both"
        ' (remove it, or set algorithm: "round_robin")'
    ]


@pytest.mark.parametrize(
    ("aws", "key", "said"),
    [
        (
            {"load_balancer": {"algorithm": "round_robin", "slow_start_seconds": 29}},
            "load_balancer.slow_start_seconds",
            "must be 0 or 30 to 900, got 29",
        ),
        (
            {"load_balancer": {"idle_seconds": 59}},
            "load_balancer.idle_seconds",
            "at least twice heartbeat_seconds (30), got 59: one late message would close an open socket",
        ),
        (
            {"load_balancer": {"idle_seconds": 400, "heartbeat_seconds": 100}},
            "load_balancer.heartbeat_seconds",
            "must be less than 100 behind Cloudflare",
        ),
        (
            {"load_balancer": {"ssl_policy": "ELBSecurityPolicy-2016-08"}},
            "load_balancer.ssl_policy",
            'for TLS 1.2 and later only, got "ELBSecurityPolicy-2016-08"',
        ),
        (
            {"load_balancer": {"ssl_policy": "ELBSecurityPolicy-TLS13-1-0-2021-06"}},
            "load_balancer.ssl_policy",
            "for TLS 1.2 and later only",
        ),
        (
            {"image": "resolve:ssm:/images/amd64", "web": {"type": "m7g.large"}},
            "web.type",
            "m7g.large is arm64 and the image is for amd64",
        ),
        ({"web": {"type": "m7g.large"}}, "worker.type", "and web's m7g.large is arm64: both run one build"),
        ({"image": "debian-13"}, "image", "must be an image or a parameter that names one"),
        ({"worker": {"type": "db.t3.medium"}}, "worker.type", 'must be an EC2 instance type, got "db.t3'),
        (
            {"image": "ami-0123456789abcdef0", "web": {"type": "t4g.medium"}},
            "worker.type",
            "t3.medium is amd64 and web's t4g.medium is arm64: both run one build",
        ),
        ({"image": "debian-12"}, "image", "must be an image or a parameter that names one"),
        ({"web": {"min": 3, "max": 3}}, "web.max", "must be at least min + 1 = 4, got 3"),
        ({"database": {"type": "t4g.medium"}}, "database.type", 'must be an RDS instance class, got "t4g.m'),
        ({"cache": {"type": "db.t4g.small"}}, "cache.type", "must be an ElastiCache node type"),
        ({"cache": {"version": "7.4"}}, "cache.version", 'must be 7.0 or 7.1, got "7.4"'),
        (
            {"database": {"storage_gb": 100, "max_storage_gb": 109}},
            "database.max_storage_gb",
            "must be at least a tenth more than storage_gb (100), got 109",
        ),
        (
            {"database": {"backup_window": "03:00-04:00"}},
            "database.maintenance_window",
            "sun:03:30-sun:04:30 overlaps the backup window 03:00-04:00: AWS rejects that",
        ),
        ({"database": {"backup_window": "02:00-02:29"}}, "database.backup_window", "must be 30 minutes"),
        ({"database": {"backup_window": "24:00-25:00"}}, "database.backup_window", "minutes that exist"),
        (
            {"database": {"maintenance_window": "son:03:30-son:04:30"}},
            "database.maintenance_window",
            "minutes that exist",
        ),
        ({"network": {"cidr": "10.20.0.0/21"}}, "network.cidr", "must be /16 to /20, got"),
        ({"network": {"cidr": "10.0.0.0/8"}}, "network.cidr", "must be /16 to /20, got"),
        ({"network": {"cidr": "10.20.0.1/16"}}, "network.cidr", "must be an IPv4 network, got"),
        ({"network": {"cidr": "52.20.0.0/16"}}, "network.cidr", "must be a private network, got"),
        ({"network": {"zone_ids": ["euc1-az1", "euc1-az1"]}}, "network.zone_ids", "names a zone twice"),
        ({"network": {"zones": 3, "zone_ids": ["euc1-az1"]}}, "network.zone_ids", "each of 3 zones"),
        ({"network": {"zone_ids": ["us-east-1a"]}}, "network.zone_ids[0]", "must be the id of a zone"),
        (
            {"network": {"zone_ids": ["use1-az1", "euc1-az2"]}},
            "network.zone_ids",
            "eu-central-1 has no zone use1-az1: it has euc1-az1, euc1-az2",
        ),
        ({"region": "us-west-1", "network": {"zones": 3}}, "network.zones", "must be 2 in us-west-1, got 3"),
        ({"buckets": {"origins": ["*"]}}, "buckets.origins[0]", "with `*` any page could upload"),
        ({"buckets": {"origins": ["https://*.acme.dev"]}}, "buckets.origins[0]", "any page could upload"),
        ({"buckets": {"origins": ["board.acme.dev"]}}, "buckets.origins[0]", "must begin with https://"),
        ({"buckets": {"origins": ["http://acme.dev"]}}, "buckets.origins[0]", "read and changed in transit"),
        ({"buckets": {"origins": ["https://acme.dev/"]}}, "buckets.origins[0]", "and nothing else"),
        ({"hosted_zone": "Z0123456789"}, "hosted_zone", "and slipway:cloudflare both answer"),
        ({"mail": {"domain": "acme.io"}}, "mail.domain", "acme.io is not in Cloudflare's zone acme.dev"),
        ({"mail": {"domain": "acme"}}, "mail.domain", "must be a domain name"),
        ({"certificate": "arn:aws:iam::1:x"}, "certificate", "must be the ARN of a certificate in ACM"),
        (
            {"certificate": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{'0' * 36}"},
            "certificate",
            "is of region us-east-1, and stack prod is in eu-central-1",
        ),
        (
            {"certificate": f"arn:aws:acm:eu-central-1:{'9' * 12}:certificate/{'0' * 36}"},
            "certificate",
            "is of account 999999999999",
        ),
        ({"account": "12345"}, "account", 'must be 12 digits in quotes, got "12345"'),
        ({"region": "Frankfurt"}, "region", "must be an AWS region"),
        ({"alerts": {"emails": ["ops"]}}, "alerts.emails[0]", "must be an e-mail address"),
        ({"github": {"repository": "acme"}}, "github.repository", "must be owner/name"),
        ({"database": {"backup_window": "2-3"}}, "database.backup_window", "must be two times of the day"),
        ({"alerts": {"emails": []}}, "alerts.emails", "alarms would reach no one"),
        ({"database": {"version": "14"}}, "database.version", "must be PostgreSQL 15, 16, 17, 18"),
        ({"database": {"version": "99"}}, "database.version", 'got "99"'),
        ({"database": {"type": "db.t3.nano"}}, "database.type", 'RDS for PostgreSQL has no "db.t3.nano"'),
        ({"database": {"type": "db.z9.large"}}, "database.type", "families: t3"),
        ({"cache": {"type": "cache.t4g.large"}}, "cache.type", "ElastiCache has no"),
        ({"region": "us-moon-1"}, "region", 'AWS has no region "us-moon-1"'),
        (
            {"region": "ca-central-1", "network": {"zone_ids": ["cac1-az1", "cac1-az3"]}},
            "network.zone_ids",
            "ca-central-1 has no zone cac1-az3: it has cac1-az1, cac1-az2, cac1-az4",
        ),
        (
            {"github": {"repository": "acme/board", "owner_id": 12}},
            "github.repository_id",
            "both numbers, or neither",
        ),
        ({"database": {"vesion": "16"}}, "database.vesion", "unknown key"),
    ],
)  # fmt: skip
def test_what_aws_would_refuse_is_refused_first(project: Path, aws: Settings, key: str, said: str):
    found = refused(project, aws=aws)
    assert len(found) == 1, found
    assert re.match(rf"Pulumi\.prod\.yaml:\d+ slipway:aws\.{re.escape(key)}: ", found[0]), found
    assert said in found[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cloudflare": None}, "aws.certificate: is missing: a new certificate needs validation by DNS"),
        (
            {"cloudflare": None, "aws": {"hosted_zone": "acme.dev"}},
            "aws.hosted_zone: must be the id of a Route 53 zone",
        ),
        ({"domain": "board.acme.io"}, "slipway:domain: board.acme.io is not in Cloudflare's zone acme.dev"),
        ({"domain": "notacme.dev"}, "slipway:domain: notacme.dev is not in Cloudflare's zone"),
        (
            {"domain": "eu.board.acme.dev"},
            'universal certificate does not cover it (for example "eu-board.acme.dev"',
        ),
        ({"cloudflare": {"zone_name": "ACME dev"}}, "cloudflare.zone_name: must be a domain name"),
        ({"cloudflare": {"zone": "acme.dev"}}, "cloudflare.zone: must be 32 digits and letters a to f"),
        (
            {"uploads": False, "cloudflare": {"uploads": "r2"}},
            "cloudflare.uploads: is r2, and the stack has no uploads",
        ),
    ],
)
def test_names_and_certificates_must_fit_together(project: Path, settings: Settings, said: str):
    found = refused(project, **settings)
    assert len(found) == 1, found
    assert said in found[0]


def test_a_deep_name_is_taken_with_an_advanced_certificate(project: Path):
    assert refused(project, domain="eu.board.acme.dev", cloudflare={"edge_certificate": "advanced"}) == []
    assert refused(project, domain="acme.dev") == []


def test_long_names_are_refused_where_buckets_carry_the_account(project: Path):
    (project / "Pulumi.yaml").write_text(f"name: {'b' * 31}\n")
    assert refused(project, "p" * 10) == []
    assert "too long together for AWS" in refused(project, "p" * 11)[0]
    assert "two hyphens in a row" in refused(project, "p--q")[0]
    assert "or one at the end" in refused(project, "p-")[0]


def test_a_project_that_ends_with_a_hyphen_is_refused_as_databases_refuse_it(project: Path):
    (project / "Pulumi.yaml").write_text("name: board-\n")
    assert "board--prod cannot be a name in AWS" in refused(project)[0]


PRODUCTION = [
    ({"protect": False}, "aws.protect: must be true in production"),
    ({"load_balancer": {"deletion_protection": False}}, "load_balancer.deletion_protection: must be true"),
    ({"load_balancer": {"deregistration_seconds": 0}}, "deregistration_seconds: must be at least 1"),
    ({"web": {"min": 1}}, "web.min: must be at least 2 in production, got 1"),
    ({"database": {"deletion_protection": False}}, "database.deletion_protection: must be true"),
    ({"database": {"final_snapshot": False}}, "database.final_snapshot: must be true"),
    ({"database": {"multi_az": False}}, "database.multi_az: must be true"),
    ({"database": {"backup_days": 6}}, "database.backup_days: must be at least 7 in production, got 6"),
    ({"cache": {"replicas": 0}}, "cache.replicas: must be at least 1"),
    ({"cache": {"snapshot_days": 0}}, "cache.snapshot_days: must be at least 1"),
    ({"cache": {"final_snapshot": False}}, "cache.final_snapshot: must be true"),
]


@pytest.mark.parametrize(("aws", "said"), PRODUCTION)
def test_only_production_must_not_be_without_its_protections(project: Path, aws: Settings, said: str):
    found = refused(project, aws=aws)
    assert len(found) == 1, found
    assert said in found[0]
    assert refused(project, purpose="preview", aws=aws) == []
    assert refused(project, "preview", aws=aws) == []


def test_what_a_stack_does_not_have_needs_no_protection(project: Path):
    (project / "app" / "slipway.toml").write_text(QUEUELESS)
    unprotected = {"database": {"multi_az": False}, "cache": {"replicas": 0}}
    assert refused(project, database="none", redis=False, aws=unprotected) == []


def test_examples_values_are_found_where_something_would_be_made(project: Path):
    write(project)
    assert list(left_placeholders(load_stack(project, "prod"))) == []
    found = {".".join(map(str, key)) for key, _, _ in left_placeholders(load_stack(ROOT, "prod"))}
    assert {"domain", "aws.account", "cloudflare.zone", "aws.mail.domain", "aws.alerts.emails.0"} <= found


@pytest.mark.parametrize(
    ("region", "zones", "ids"),
    [
        ("us-east-1", 2, ["use1-az1", "use1-az2"]),
        ("ca-central-1", 3, ["cac1-az1", "cac1-az2", "cac1-az4"]),
        ("us-gov-west-1", 2, ["usgw1-az1", "usgw1-az2"]),
    ],
)
def test_without_ids_the_regions_first_zones_are_drawn(region: str, zones: int, ids: list[str]):
    aws = Aws.model_validate({"account": ACCOUNT, "region": region, "network": {"zones": zones}})
    assert zone_ids(aws) == ids


def test_ids_that_are_kept_count_and_their_order_too():
    kept = ["use1-az6", "use1-az4", "use1-az1"]
    network = {"zones": 2, "zone_ids": kept}
    aws = Aws.model_validate({"account": ACCOUNT, "network": network})
    assert zone_ids(aws) == kept[:2]


def test_ids_of_zones_are_those_that_moto_has_for_a_new_account():
    """moto's table was read from AWS by its authors, region by region."""
    for region, zones in RegionsAndZonesBackend.zones.items():
        if region in ZONES:
            assert {zone.zone_id for zone in zones} <= set(region_zones(region)), region


def test_every_region_of_the_table_is_one_that_botocore_knows():
    partitions = botocore.session.get_session().get_data("endpoints")["partitions"]
    assert set(ZONES) <= {region for each in partitions for region in each["regions"]}


def test_a_small_production_keeps_every_demand_of_production(project: Path):
    write(project, aws={"size": "small"})
    aws = open_project("prod", project).stack.aws
    assert aws and (aws.network.nat, aws.database.pooler, aws.web.type) == ("one", "none", "t4g.small")
    assert aws.database.multi_az and aws.cache.replicas == 1 and aws.web.min == 2


def test_a_preview_of_a_small_production_has_its_processors(project: Path):
    write(project, "preview", aws={"size": "small", "worker": {"max": 5}})
    aws = load_stack(project, "preview").aws
    assert aws and (aws.web.type, aws.worker.type, aws.worker.max) == ("t4g.small", "t4g.small", 5)
    assert (aws.database.multi_az, aws.network.nat) == (False, "one"), "all else is a preview's"


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ({"size": "standard"}, aws_image("amd64")),
        ({"size": "small"}, aws_image("arm64")),
        ({"image": "ami-0123456789abcdef0"}, "ami-0123456789abcdef0"),
        ({"size": "small", "image": "baked"}, "resolve:ssm:/slipway/board/prod/image/web/arm64"),
    ],
)
def test_hosts_boot_an_image_of_their_processors(project: Path, settings: Settings, image: str):
    write(project, aws=settings)
    stack = load_stack(project, "prod")
    assert stack.aws
    assert image_of(stack.aws, AwsNames(stack, ACCOUNT, stack.aws.region), "web") == image


def test_a_key_of_its_own_wins_over_the_size(project: Path):
    write(project, aws={"size": "large", "web": {"type": "m6i.large"}})
    aws = open_project("prod", project).stack.aws
    assert aws and (aws.web.type, aws.web.min) == ("m6i.large", 4)


def test_a_size_that_does_not_exist_is_refused(project: Path):
    assert any("aws.size" in each for each in refused(project, aws={"size": "tiny"}))

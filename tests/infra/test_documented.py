"""docs/infrastructure.md says where every setting is set and what holds it, and says so truly."""

from __future__ import annotations

import re

import pytest

from infra.policies import RULES
from tests.infra.conftest import ROOT

TEXT = (ROOT / "docs" / "infrastructure.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line]
FURTHER = TEXT[TEXT.index("Besides these") :].split("\n\n")[0]
"""The rules that no setting asked for."""
RULE = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`")
FILE = re.compile(r"`((?:infra|tests)/[\w./]+\.\w+)`")


def test_every_rule_is_in_the_document_and_every_rule_in_it_is_one() -> None:
    assert set(RULE.findall(TEXT)) == {rule.id for rule in RULES}


def test_every_file_it_names_is_there() -> None:
    assert [name for name in FILE.findall(TEXT) if not (ROOT / name).is_file()] == []


def test_rules_for_production_only_are_marked_in_their_setting() -> None:
    for rule in RULES:
        mentions = [cell for line in TEXT.splitlines() for cell in line.split("|") if f"`{rule.id}`" in cell]
        marked = any(re.search(rf"`{rule.id}`[^;]*\bproduction\b", cell) for cell in [*mentions, FURTHER])
        assert marked or not rule.production_only, rule.id


@pytest.mark.parametrize("row", [f"I{number}" for number in range(1, 16)])
def test_the_checklists_row_is_there(row: str) -> None:
    (found,) = (line for line in ROWS if line.startswith(f"| {row} |"))
    assert RULE.search(found) or ".md" in found


SETTINGS = [
    "drop_invalid_header_fields",
    "desync_mitigation_mode",
    "xff_header_processing_mode",
    "idle_timeout",
    "enable_deletion_protection",
    "access_logs",
    "connection_logs",
    "preserve_host_header",
    "ssl_policy",
    "HSTS",
    "mutual_authentication",
    "TrustStore",
    "stickiness",
    "least_outstanding_requests",
    "slow_start",
    "deregistration_delay",
    "health_check",
    "transit_encryption_mode",
    "at_rest_encryption",
    "auth_token",
    "maxmemory-policy",
    "snapshot_retention_limit",
    "final_snapshot_identifier",
    "rds.force_ssl",
    "storage_encrypted",
    "publicly_accessible",
    "deletion_protection",
    "skip_final_snapshot",
    "delete_automated_backups",
    "manage_master_user_password",
    "backup_retention_period",
    "windows",
    "Insights",
    "enabled_cloudwatch_logs_exports",
    "apply_immediately",
    "allow_major_version_upgrade",
    "copy_tags_to_snapshot",
    "ca_cert_identifier",
    "require_tls",
    "BucketPublicAccessBlock",
    "BucketOwnershipControls",
    "BucketPolicy",
    "BucketVersioning",
    "BucketLifecycleConfiguration",
    "BucketCorsConfiguration",
    "force_destroy",
    "metadata_options",
    "EBS",
    "DefaultSecurityGroup",
    "SecurityGroupIngressRule",
    "FlowLog",
    "recovery_window_in_days",
    "SecretVersion",
    "OpenIdConnectProvider",
    "Trail",
    "allowed_account_ids",
    "default_tags",
    "ZoneSetting",
    "Ruleset",
    "ignore_changes",
]
"""Settings that the kit set out to hold."""


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_has_its_row(setting: str) -> None:
    row = next((line for line in ROWS if setting in line.split("|")[1]), "")
    assert row, f"no row for {setting}"
    assert FILE.search(row)
    assert RULE.search(row) or "T `" in row

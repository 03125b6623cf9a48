"""docs/infrastructure.md has a row for every control, made from the controls."""

from __future__ import annotations

import re

import pytest

from infra.policies import RULES
from slipway.settings.controls import CONTROLS
from slipway.settings.controls.reference import page
from tests.infra.conftest import ROOT

TEXT = (ROOT / "docs" / "infrastructure.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line]
RULE = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`")
FILE = re.compile(r"`((?:infra|tests)/[\w./]+\.\w+)`")


def test_the_tables_are_those_of_the_controls() -> None:
    """If not: `python -m slipway.settings.controls.reference`."""
    assert page() == TEXT


def test_every_control_is_in_the_document_and_every_id_in_it_is_one() -> None:
    listed = [found[1] for line in ROWS if (found := RULE.match(line.removeprefix("| ")))]
    assert sorted(listed) == sorted(each.id for each in CONTROLS)
    assert {rule.id for rule in RULES} <= set(listed)


def test_every_file_it_names_is_there() -> None:
    assert [name for name in FILE.findall(TEXT) if not (ROOT / name).is_file()] == []


def test_rules_for_production_only_are_marked() -> None:
    for rule in RULES:
        (row,) = (line for line in ROWS if line.startswith(f"| `{rule.id}`"))
        assert ("(production)" in row.split("|")[1]) == rule.control.production


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
    rows = [line for line in ROWS if RULE.match(line.removeprefix("| ")) and setting in line]
    assert rows, f"no row for {setting}"

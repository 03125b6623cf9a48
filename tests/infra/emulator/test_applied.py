"""Terraform's AWS provider takes what the program asks for, and makes it."""

from __future__ import annotations

from infra.recording.sdk import snake_case
from slipway.settings import Outputs
from tests.infra.emulator.applied import Applied, Emulator
from tests.infra.emulator.differences import DROPPED
from tests.infra.emulator.limits import FORGOTTEN, PLAN_ONLY


def test_what_was_applied_needs_no_change(applied: Applied):
    assert applied.again.changes == []


def test_the_provider_would_make_everything_that_was_recorded(applied: Applied):
    asked = sorted(f"create {each.address}" for each in applied.graph if each.type.startswith("aws:"))
    assert applied.in_full.result().changes == asked


def test_all_but_the_listed_limits_is_there(applied: Applied):
    made = set(applied.state.resources)
    wanted = {each.address for each in applied.graph if each.type.startswith("aws:")}
    assert {address.partition(".")[0] for address in wanted - made} <= set(PLAN_ONLY)


def test_the_lists_of_limits_hold_only_what_is_used(emulator: Emulator):
    used = {
        (each.terraform_type, argument)
        for name in ("prod", "preview")
        for each in emulator.stack(name).graph
        for argument in ("*", *map(snake_case, each.inputs))
    }
    kinds = {kind for kind, _ in used}
    assert set(PLAN_ONLY) <= kinds
    assert {kind for kind, _ in FORGOTTEN} <= kinds
    assert {each for each in DROPPED if each[0] != "*"} <= used


def test_the_stack_outputs_are_what_slipway_reads(applied: Applied):
    outputs = Outputs.model_validate(applied.outputs)
    assert outputs.platform == "aws"
    assert outputs.url.startswith("https://")
    assert outputs.builds.bucket == f"{applied.fleet}-builds-123456789012"
    assert outputs.cloud is not None
    assert outputs.cloud.target_group.startswith("arn:aws:elasticloadbalancing:")
    assert set(outputs.cloud.groups) == {"web", "worker"}


def test_the_same_outputs_are_read_without_pulumi(applied: Applied):
    name = f"/slipway/board/{applied.stack}/outputs"
    kept = applied.ask("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert Outputs.model_validate_json(kept) == Outputs.model_validate(applied.outputs)


def test_database_urls_name_real_hosts_and_no_password(applied: Applied):
    database = Outputs.model_validate(applied.outputs).database
    assert database is not None
    instance = applied.ask("rds").describe_db_instances()["DBInstances"][0]["Endpoint"]["Address"]
    assert f"@{instance}:5432/" in database.migrate_url
    for url in (database.url, database.migrate_url):
        assert url.startswith("postgres://board_")
        assert ":${secret:PLATFORM_DATABASE_" in url
        assert url.endswith("sslmode=verify-full")

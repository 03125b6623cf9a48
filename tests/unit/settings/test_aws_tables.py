"""What the rules on AWS stand on: defaults by purpose, windows in time, and what a type's name tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, strategies as st

from slipway.settings import load_stack
from slipway.settings.aws import PREVIEW, Aws, with_defaults
from slipway.settings.aws_data_rules import daily_span, overlap, weekly_span
from slipway.settings.aws_fit import architecture_of_image, architecture_of_type, most_connections
from tests.unit.settings.aws_stack import ACCOUNT, Settings, write


def test_preview_gets_its_own_defaults_key_by_key(project: Path):
    write(project, "preview", aws={"database": {"multi_az": True}, "web": {"max": 4}})
    aws = load_stack(project, "preview").aws
    assert aws
    assert (aws.database.multi_az, aws.database.type, aws.database.deletion_protection) == (
        True,
        "db.t4g.micro",
        False,
    )
    assert (aws.web.max, aws.web.type, aws.worker.max) == (4, "t3.small", 2)
    write(project, "prod", aws={"database": {"storage_gb": 80}})
    prod = load_stack(project, "prod").aws
    assert prod
    assert (prod.database.storage_gb, prod.database.multi_az, prod.protect) == (80, True, True)


GIVEN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from([*PREVIEW, "type", "min", "max", "x"]), inner, max_size=4),
)


@given(GIVEN)
def test_what_is_given_always_wins_over_previews_defaults(given_: Any):
    def within(over: Any, merged: Any) -> bool:
        if isinstance(over, dict):
            given = cast("Settings", over)
            return isinstance(merged, dict) and all(
                within(value, merged[key]) for key, value in given.items()
            )
        return over == merged

    assert within(given_, with_defaults(given_, "preview"))
    assert with_defaults(given_, "production") is given_


def test_every_default_of_preview_is_a_setting_and_differs_from_productions():
    production, preview = (
        Aws(account=ACCOUNT),
        Aws.model_validate(with_defaults({"account": ACCOUNT}, "preview")),
    )
    for key in PREVIEW:
        assert getattr(production, key) != getattr(preview, key), key


MINUTES = st.integers(0, 24 * 60 - 1)


@given(MINUTES, st.integers(30, 1440), st.integers(0, 7 * 1440 - 1), st.integers(30, 1440))
def test_windows_overlap_exactly_when_they_share_a_minute(begin: int, long: int, start: int, length: int):
    week = 7 * 1440
    daily = {(day * 1440 + begin + minute) % week for day in range(7) for minute in range(long)}
    weekly = {(start + minute) % week for minute in range(length)}
    assert overlap((begin, long), (start, length)) == bool(daily & weekly)


def test_windows_may_reach_past_midnight_and_past_sunday():
    assert daily_span("23:30-00:30") == (23 * 60 + 30, 60)
    assert weekly_span("sun:23:30-mon:00:30") == (6 * 1440 + 23 * 60 + 30, 60)
    assert overlap(daily_span("23:45-00:15") or (0, 0), weekly_span("mon:00:00-mon:00:30") or (0, 0))


@pytest.mark.parametrize(
    ("instance_type", "architecture"),
    [
        ("t3.medium", "amd64"), ("m7i-flex.large", "amd64"), ("g4dn.xlarge", "amd64"), ("g5.xlarge", "amd64"),
        ("t4g.small", "arm64"), ("m7g.large", "arm64"), ("c7gn.large", "arm64"), ("g5g.xlarge", "arm64"),
        ("im4gn.large", "arm64"), ("a1.medium", "arm64"), ("db.t3.medium", None), ("medium", None),
    ],
)  # fmt: skip
def test_a_types_name_tells_its_architecture(instance_type: str, architecture: str | None):
    assert architecture_of_type(instance_type) == architecture


def test_an_images_name_may_tell_its_architecture():
    assert architecture_of_image("resolve:ssm:/aws/service/debian/release/12/latest/arm64") == "arm64"
    assert architecture_of_image("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-x86_64") == "amd64"
    assert architecture_of_image("ami-0123456789abcdef0") is None


@pytest.mark.parametrize(
    ("database_type", "connections"),
    [
        ("db.t4g.micro", 112), ("db.t4g.medium", 450), ("db.m7g.large", 901), ("db.r6g.4xlarge", 5000),
        ("db.z1d.large", None),
    ],
)  # fmt: skip
def test_connections_follow_memory_up_to_five_thousand(database_type: str, connections: int | None):
    assert most_connections(database_type) == connections

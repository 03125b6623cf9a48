from __future__ import annotations

import pytest

from infra.aws.database import PARAMETERS, major_version
from infra.aws.limits import LOAD_BALANCER, short_name
from infra.aws.listeners import path_and_below


@pytest.mark.parametrize(
    ("path", "patterns"),
    [("/metrics", ["/metrics", "/metrics/*"]), ("/admin/", ["/admin", "/admin/*"]), ("/", ["/"])],
)
def test_a_private_path_hides_what_is_below_it_and_not_its_namesakes(path: str, patterns: list[str]):
    assert path_and_below(path) == patterns


def test_a_short_name_stays_as_it_is():
    assert short_name("board-prod", LOAD_BALANCER) == "board-prod"


def test_long_names_are_cut_and_stay_apart():
    one, other = (
        short_name(f"a-project-with-quite-a-long-name-{stack}", LOAD_BALANCER) for stack in ("prod", "pr-1")
    )
    assert one != other
    assert {len(one), len(other)} == {LOAD_BALANCER}


def test_a_cut_name_does_not_have_two_hyphens_in_a_row():
    """Load balancers and replication groups refuse them."""
    name = "a" * (LOAD_BALANCER - 8) + "-" + "b" * 20
    assert "--" not in short_name(name, LOAD_BALANCER)


def test_postgres_takes_nothing_without_tls():
    assert ("rds.force_ssl", "1", "immediate") in PARAMETERS


def test_a_minor_version_belongs_to_its_major():
    assert (major_version("16"), major_version("16.4")) == ("16", "16")

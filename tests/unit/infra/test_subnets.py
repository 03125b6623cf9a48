from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

import pytest

from infra.aws.network import Subnets, subnets


def test_hosts_get_a_quarter_of_the_network_in_each_zone():
    assert subnets("10.20.0.0/16", 3) == Subnets(
        public=["10.20.192.0/21", "10.20.200.0/21", "10.20.208.0/21"],
        private=["10.20.0.0/18", "10.20.64.0/18", "10.20.128.0/18"],
        data=["10.20.224.0/21", "10.20.232.0/21", "10.20.240.0/21"],
    )


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "172.16.32.0/20"])
@pytest.mark.parametrize("zones", [2, 3])
def test_no_two_ranges_overlap_and_all_lie_in_the_network(cidr: str, zones: int):
    made = subnets(cidr, zones)
    ranges = [IPv4Network(each) for each in (*made.public, *made.private, *made.data)]
    assert len(ranges) == 3 * zones
    assert all(each.subnet_of(IPv4Network(cidr)) for each in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


def test_the_smallest_network_still_has_room_for_a_load_balancer():
    """AWS asks for a /27 with eight free addresses in each of its subnets."""
    assert all(IPv4Network(each).prefixlen <= 27 for each in subnets("10.0.0.0/20", 3).public)


def test_a_third_zone_leaves_the_first_two_where_they_are():
    two, three = subnets("10.20.0.0/16", 2), subnets("10.20.0.0/16", 3)
    for tier in ("public", "private", "data"):
        assert getattr(three, tier)[:2] == getattr(two, tier)

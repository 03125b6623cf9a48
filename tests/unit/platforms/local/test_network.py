from ipaddress import IPv4Network

import pytest

from slipway.platforms.local.network import choose_subnet
from slipway.settings import SlipwayError

TAKEN = [IPv4Network("172.17.0.0/16"), IPv4Network("192.168.1.0/24")]


def test_the_same_fleet_gets_the_same_subnet():
    assert choose_subnet("board-local", TAKEN) == choose_subnet("board-local", TAKEN)


def test_two_fleets_get_different_subnets():
    first = choose_subnet("board-local", TAKEN)
    assert not first.overlaps(choose_subnet("board-local", [*TAKEN, first]))


def test_the_remembered_subnet_is_kept_if_it_is_free():
    assert str(choose_subnet("board-local", TAKEN, "172.30.7.0/24")) == "172.30.7.0/24"


def test_a_remembered_subnet_that_someone_took_is_given_up():
    taken = [*TAKEN, IPv4Network("172.30.0.0/16")]
    assert not choose_subnet("board-local", taken, "172.30.7.0/24").overlaps(taken[-1])


def test_a_vpn_over_the_whole_of_172_16_leaves_ten():
    assert choose_subnet("a", [IPv4Network("172.16.0.0/12")]).overlaps(IPv4Network("10.213.0.0/16"))


def test_the_default_route_takes_nothing():
    assert choose_subnet("a", [IPv4Network("0.0.0.0/0")])


def test_when_all_is_taken_the_error_says_what_to_do():
    with pytest.raises(SlipwayError) as caught:
        choose_subnet("a", [IPv4Network("172.16.0.0/12"), IPv4Network("10.0.0.0/8")])
    assert "docker network prune" in caught.value.remedy

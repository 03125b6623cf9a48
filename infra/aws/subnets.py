"""How a VPC's addresses are divided: public, private and data subnets, one of each in every zone."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

ZONE_LETTERS = "abc"
"""In names: the first, second and third zone, whatever AWS calls them."""


@dataclass(frozen=True)
class Subnets:
    """Address ranges, in the order of the zones."""

    public: list[str]
    """Load balancer and gateways."""
    private: list[str]
    """Hosts."""
    data: list[str]
    """Database and Redis: no way out."""


def subnets(cidr: str, zones: int) -> Subnets:
    """Divide `cidr` for `zones` zones (3 at most).

    Hosts get a quarter of the VPC in each zone. The last quarter is cut in eight: public subnets from its
    beginning, data subnets from its middle. A third zone added later moves none of the first two.
    """
    *hosts, rest = IPv4Network(cidr).subnets(prefixlen_diff=2)
    small = list(rest.subnets(prefixlen_diff=3))
    return Subnets(
        public=[str(each) for each in small[:zones]],
        private=[str(each) for each in hosts[:zones]],
        data=[str(each) for each in small[4 : 4 + zones]],
    )


def zone_names(region: str, letters: str, zones: int) -> list[str]:
    """`us-east-1a`, `us-east-1b`, …: by rule and not by look-up, so that the program asks nobody."""
    return [f"{region}{letter}" for letter in letters[:zones]]

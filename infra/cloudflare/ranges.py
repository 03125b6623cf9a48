"""The addresses from which Cloudflare comes to an origin: the load balancer lets in nobody else.

Source: https://www.cloudflare.com/ips/ (as text: https://www.cloudflare.com/ips-v4, /ips-v6, which
`python -m infra.cloudflare.ranges` compares this table with). Cloudflare tells of a change months ahead.
"""

from __future__ import annotations

import sys
import urllib.request
from ipaddress import IPv4Network, IPv6Network, ip_network

SOURCE = "https://www.cloudflare.com/ips/"
READ_ON = "2026-09-29"
"""Day of the newest copy of the source that this table agrees with."""

IPV4 = (
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "108.162.192.0/18",
    "131.0.72.0/22",
    "141.101.64.0/18",
    "162.158.0.0/15",
    "172.64.0.0/13",
    "173.245.48.0/20",
    "188.114.96.0/20",
    "190.93.240.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
)
IPV6 = (
    "2400:cb00::/32",
    "2405:8100::/32",
    "2405:b500::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
)


def changes(published_v4: str, published_v6: str) -> list[str]:
    """What the published lists (a range a line) have and this table has not (`+`), and the reverse (`-`)."""
    held = {ip_network(text) for text in (*IPV4, *IPV6)}
    published = {ip_network(text) for text in (*published_v4.split(), *published_v6.split())}
    return [f"+ {each}" for each in _in_order(published - held)] + [
        f"- {each}" for each in _in_order(held - published)
    ]


def _in_order(networks: set[IPv4Network | IPv6Network]) -> list[IPv4Network | IPv6Network]:
    return sorted(networks, key=lambda each: (each.version, int(each.network_address)))


def _published(family: str) -> str:
    with urllib.request.urlopen(f"https://www.cloudflare.com/ips-{family}", timeout=10) as answer:
        return answer.read().decode()


if __name__ == "__main__":
    found = changes(_published("v4"), _published("v6"))
    sys.stdout.write("\n".join(found or [f"as published at {SOURCE}"]) + "\n")
    sys.exit(1 if found else 0)

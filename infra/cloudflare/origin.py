"""How the load balancer recognises Cloudflare: its addresses and its client certificate's authority.

Source of the ranges: https://www.cloudflare.com/ips/ (as text: /ips-v4 and /ips-v6).
`python -m infra.cloudflare.origin` compares the table with it. Cloudflare announces changes months ahead.
"""

import sys
import urllib.request
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

SOURCE = "https://www.cloudflare.com/ips/"
"""Its newest copy with the same ranges was read on 2026-09-29."""

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

ORIGIN_CA_FILE = Path(__file__).with_name("origin_ca.pem")
FINGERPRINT = "9a1ac2b4be15f9f27eee20a734cba4e9898f61001b3bd7c84b69b56a3e25a2b9"
"""SHA-256 of the certificate: `openssl x509 -noout -fingerprint -sha256`."""


def changes(published_v4: str, published_v6: str) -> list[str]:
    """Ranges that only the published lists have (`+`), and that only this table has (`-`); one in a line."""
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


def origin_ca() -> str:
    """PEM of the authority behind Cloudflare's client certificate (authenticated origin pulls).

    With it in the load balancer's trust store, a connection that does not come through Cloudflare fails in
    the TLS handshake. It proves "through Cloudflare", not "through this zone": all of Cloudflare's customers
    have the same certificate, and one of them could send requests from another zone. The firewall, the app's
    own limits and its sign-in therefore stay in force.

    Valid until 2029-11-01. Source:
    https://developers.cloudflare.com/ssl/static/authenticated_origin_pull_ca.pem
    """
    return ORIGIN_CA_FILE.read_text(encoding="ascii")


if __name__ == "__main__":
    found = changes(_published("v4"), _published("v6"))
    sys.stdout.write("\n".join(found or [f"as published at {SOURCE}"]) + "\n")
    sys.exit(1 if found else 0)

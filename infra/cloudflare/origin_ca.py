"""The authority that signs the certificate Cloudflare shows to origins (authenticated origin pulls).

The load balancer's trust store holds it, so that who comes by another way than Cloudflare ends in the TLS
handshake. It proves "by way of Cloudflare", not "by way of this zone": the certificate is the same for all
of Cloudflare's customers, who could send requests here from a zone of their own. The load balancer's firewall
and the app's own limits and sign-in stay in force for that reason.

Source: https://developers.cloudflare.com/ssl/static/authenticated_origin_pull_ca.pem; valid until 2029-11-01.
"""

from __future__ import annotations

from pathlib import Path

ORIGIN_CA_FILE = Path(__file__).with_name("origin_ca.pem")
FINGERPRINT = "9a1ac2b4be15f9f27eee20a734cba4e9898f61001b3bd7c84b69b56a3e25a2b9"
"""SHA-256 of the certificate: `openssl x509 -noout -fingerprint -sha256`."""


def origin_ca() -> str:
    """PEM of the authority."""
    return ORIGIN_CA_FILE.read_text(encoding="ascii")

"""Zone-wide settings: strict TLS, and what sockets and browsers need. One stack a zone makes them."""

from __future__ import annotations

import pulumi
import pulumi_cloudflare as cloudflare

SETTINGS = {
    "ssl": "strict",
    "min_tls_version": "1.2",
    "tls_1_3": "on",
    "always_use_https": "on",
    "automatic_https_rewrites": "on",
    "opportunistic_encryption": "on",
    "tls_client_auth": "on",
    "websockets": "on",
    "http3": "on",
    "brotli": "on",
    "browser_check": "on",
    # A replayed first flight would be a replayed request.
    "0rtt": "off",
    # Scripts are the app's own: neither moved nor delayed.
    "rocket_loader": "off",
}
"""https://developers.cloudflare.com/api/resources/zones/subresources/settings/"""


class ZoneSettings(pulumi.ComponentResource):
    """TLS is checked at both ends (`strict`), nothing below TLS 1.2, sockets pass, HTTP/3 is offered.

    `tls_client_auth` and the switch beside it make Cloudflare show its certificate to every origin
    of the zone (authenticated origin pulls), which the load balancer asks for.
    """

    def __init__(self, name: str, zone: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:ZoneSettings", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for setting, value in SETTINGS.items():
            cloudflare.ZoneSetting(
                f"{name}-{setting.replace('_', '-')}",
                zone_id=zone,
                setting_id=setting,
                value=value,
                opts=child,
            )
        cloudflare.AuthenticatedOriginPullsSettings(
            f"{name}-origin-pulls", zone_id=zone, enabled=True, opts=child
        )
        self.register_outputs({})

"""What every stack on AWS keeps: one row a control, for settings, policy rules and docs."""

from slipway.settings.controls.account import ACCOUNT
from slipway.settings.controls.control import (
    SEVERITIES,
    STOPPING,
    Control,
    Section,
    Severity,
)
from slipway.settings.controls.data import DATA
from slipway.settings.controls.site import SITE

__all__ = ["CHECKLIST", "CONTROLS", "SECTIONS", "SEVERITIES", "STOPPING", "Control", "Section", "Severity"]

SECTIONS: tuple[Section, ...] = (*ACCOUNT, *SITE, *DATA)
CONTROLS: tuple[Control, ...] = tuple(row for section in SECTIONS for row in section.rows)

CHECKLIST = {
    "I1": "TLS load balancer in front of two or more API servers",
    "I2": "sticky WebSockets, forwarded headers, long tunnels",
    "I3": "health checks at least every 30 s; unhealthy hosts are replaced",
    "I4": "Redis 7 with a password and a namespace for each stack",
    "I5": "a database for each stack, with pooler, insights and logs",
    "I6": "private buckets, CORS for the frontend only",
    "I7": "least privilege, scoped credentials",
    "I8": "nothing writable is shared by preview and prod",
    "I9": "secrets from Secrets Manager, never committed",
    "I10": "alarms",
    "I11": "uptime, logs shipped",
    "I12": "backups and a restore",
    "I13": "static assets from the CDN",
    "I14": "WebSockets on Durable Objects",
    "I15": "least-privilege mail and buckets",
}
"""The production checklist's rows on infrastructure, as `Control.controls` names them."""

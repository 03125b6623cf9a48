"""A stack on AWS as a test writes it: right, but for what the test is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from slipway.settings import open_project
from slipway.settings.violations import InvalidSettings

ACCOUNT = "210987654321"
ZONE = {"account": "a" * 32, "zone": "b" * 32, "zone_name": "acme.dev"}
ROOT = Path(__file__).parents[3]

Settings = dict[str, Any]


def write(project: Path, stack: str = "prod", **settings: Any) -> None:
    """A right stack on AWS with `settings` (by their `slipway:` keys) over it; None removes a key."""
    config: Settings = {
        "platform": "aws",
        "app": "app",
        "domain": "board.acme.dev",
        "aws": {"account": ACCOUNT, "region": "eu-central-1", "alerts": {"emails": ["oncall@acme.dev"]}},
        "cloudflare": ZONE,
    }
    for key, value in settings.items():
        config[key] = {**config[key], **value} if isinstance(config.get(key), dict) and value else value
    kept = {f"slipway:{key}": value for key, value in config.items() if value is not None}
    (project / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": kept}, sort_keys=False))


def refused(project: Path, stack: str = "prod", **settings: Any) -> list[str]:
    """What a stack with `settings` is refused for; empty if it is taken."""
    write(project, stack, **settings)
    try:
        open_project(stack, project)
    except InvalidSettings as error:
        return [f"{violation} ({violation.remedy})" for violation in error.violations]
    return []


QUEUELESS = (
    'name = "board"\nruntime = { name = "bun", version = "1.4.5" }\n[processes.web]\ncommand = "bun web"\n'
)
"""An app that takes nothing from Redis."""

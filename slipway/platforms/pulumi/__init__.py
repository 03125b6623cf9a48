"""The Pulumi engine, with care: preview, judge, approve, update, find drift.

`available()` tells whether the CLI is here; `up(project, progress)` brings a stack's resources in line.
"""

from __future__ import annotations

from slipway.platforms.pulumi.open import available
from slipway.platforms.pulumi.up import up

__all__ = ["available", "up"]

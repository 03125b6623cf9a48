"""The env contract at work: check the secrets, generate what can be, compose the envs, version them."""

from slipway.secrets.check import Finding, check, unused
from slipway.secrets.compose import compose
from slipway.secrets.generate import generate
from slipway.secrets.version import config_version
from slipway.settings.env_scope import SCOPES

__all__ = ["SCOPES", "Finding", "check", "compose", "config_version", "generate", "unused"]

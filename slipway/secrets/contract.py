"""The env contract at work: check the secrets, make those that can be made, compose the envs, version them."""

from slipway.secrets.check import Finding, check
from slipway.secrets.compose import SCOPES, compose
from slipway.secrets.generate import generate
from slipway.secrets.version import config_version

__all__ = ["SCOPES", "Finding", "check", "compose", "config_version", "generate"]

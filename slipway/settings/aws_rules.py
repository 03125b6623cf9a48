"""What AWS, Cloudflare or the app would refuse or suffer from, refused first and with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.settings.stack import Stack
from slipway.settings.violations import Broken


def broken_aws_rules(stack: Stack) -> Iterator[Broken]:
    """Everything in `stack`'s AWS and Cloudflare settings that cannot work: key path, problem, remedy."""
    if stack.platform != "aws":
        return
    if stack.aws is None:
        yield ("aws",), "is required on platform aws", 'at least `account: "123456789012"`'

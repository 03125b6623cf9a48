"""Is it the account that the stack may be in? Asked before anything is touched."""

from __future__ import annotations

from slipway.platforms.aws.session import AwsSession
from slipway.settings.errors import BadInput
from slipway.settings.stack import Stack


def check_account(session: AwsSession, stack: Stack) -> None:
    """BadInput, naming both accounts, unless the credentials are of the account in the stack's settings."""
    wanted = stack.aws.account if stack.aws else ""
    found = session.call("sts", "get_caller_identity")
    if found["Account"] != wanted:
        raise BadInput(
            f"these AWS credentials are of account {found['Account']} ({found['Arn']}), and stack "
            f"{stack.name} may only be in account {wanted}",
            remedy=f"sign in to {wanted}, or choose a profile of it (AWS_PROFILE, or slipway:aws.profile in "
            f"Pulumi.{stack.name}.yaml)",
        )

"""What AWS says when it does not do a thing, in words a person can act on."""

from dataclasses import dataclass
from typing import Any, cast

from slipway.settings import BadInput, SlipwayError


class AwsRefused(SlipwayError):
    """AWS did not do it. `code` is AWS' own word, for callers to whom some of them are no failure."""

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class AwsInput(BadInput):
    """Credentials, rights or names are wrong; `code` as above."""

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


@dataclass(frozen=True)
class Cause:
    """What some codes mean. `input`: must the person correct it (exit 2), or may it pass (exit 1)?"""

    codes: frozenset[str]
    what: str
    remedy: str
    input: bool = True


SIGN_IN = "sign in (`aws sso login`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

CAUSES = (
    Cause(
        frozenset({"NoCredentialsError", "PartialCredentialsError"}),
        "no AWS credentials were found",
        SIGN_IN,
    ),
    Cause(
        frozenset({"ProfileNotFound"}),
        "the AWS profile of slipway:aws.profile or AWS_PROFILE is not in your AWS configuration",
        "`aws configure list-profiles` shows those that are; leave slipway:aws.profile empty to choose by "
        "the environment",
    ),
    Cause(
        frozenset(
            {
                *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
                *("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"),
                *("CredentialRetrievalError", "PendingAuthorizationExpiredError", "SSOError"),
            }
        ),
        "the AWS credentials have expired or cannot be renewed",
        SIGN_IN,
    ),
    Cause(
        frozenset(
            {
                *("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "OptInRequired"),
                *("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId"),
                "IncompleteSignature",
            }
        ),
        "AWS does not know these credentials in region {region}",
        "check them with `aws sts get-caller-identity`; a region that is off by default has to be switched "
        "on for the account first",
    ),
    Cause(
        frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}),
        "these AWS credentials may not do {action}",
        "use the role that releases this stack, or let its policy allow {action} (docs/aws.md)",
    ),
    Cause(
        frozenset({"InvalidRegionError", "UnknownEndpointError", "NoRegionError", "UnknownRegionError"}),
        "there is no AWS region {region}",
        "correct slipway:aws.region",
    ),
    Cause(
        frozenset(
            {
                *("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"),
                *("ThrottledException", "RequestThrottled", "SlowDown", "PriorRequestNotComplete"),
            }
        ),
        "AWS answers {action} with {code}, also after several attempts",
        "run the command again in a minute",
        input=False,
    ),
    Cause(
        frozenset(
            {
                *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "SSLError"),
                *("ConnectionClosedError", "ProxyConnectionError", "ConnectionError", "HTTPClientError"),
            }
        ),
        "AWS cannot be reached for {action} in {region}",
        "check this machine's network, and slipway:aws.region",
        input=False,
    ),
)  # fmt: skip

SILENT = frozenset({"PutSecretValue", "ModifyReplicationGroup"})
"""Operations that carry values of secrets: what AWS says to them is not repeated, only its code."""


def explained(error: Exception, *, service: str, operation: str, region: str) -> AwsInput | AwsRefused:
    """The failure of botocore's call as ours. `service` as IAM spells it, `operation` as the API does."""
    code, said = _code(error)
    action = f"{service}:{operation}"
    for cause in CAUSES:
        if code in cause.codes:
            kind = AwsInput if cause.input else AwsRefused
            facts = {"action": action, "region": region, "code": code}
            return kind(code, cause.what.format(**facts), remedy=cause.remedy.format(**facts))
    words = "" if operation in SILENT else said
    return AwsRefused(code, f"{action}: {code}{': ' if words else ''}{words}")


def _code(error: Exception) -> tuple[str, str]:
    response = cast("dict[str, Any]", getattr(error, "response", None) or {})
    answered = response.get("Error")
    if isinstance(answered, dict):
        known = cast("dict[str, str]", answered)
        return known.get("Code", "Unknown"), known.get("Message", "")
    return type(error).__name__, str(error)

"""Calls to AWS in one region, as one account's user: botocore, imported when the first call is made.

Little else is imported, because the way to each host starts with a Python of its own (tunnel.py).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from hosts.agent.sigv4 import Credentials
from slipway.settings import BadInput, SlipwayError

if TYPE_CHECKING:
    from slipway.settings import Project, Stack
    from slipway.settings.aws_names import AwsNames


ATTEMPTS = 5
"""In botocore's standard mode: throttled and lost requests are tried again, ever more slowly."""
CONNECT_SECONDS, READ_SECONDS = 5, 30


class AwsSession:
    """One region and profile. Safe in several threads; making one costs nothing."""

    def __init__(self, region: str, profile: str = "") -> None:
        self.region, self.profile = region, profile
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, /, **given: Any) -> dict[str, Any]:
        """One call, for example `call("ssm", "get_parameter", Name=…)`, and its answer.

        AwsInput (exit 2) for credentials, rights, region; AwsRefused with AWS' code for all else.
        """
        client = self._client(service)
        try:
            return getattr(client, operation)(**given)
        except Exception as error:
            meta = client.meta
            raise explained(
                error,
                service=str(meta.service_model.signing_name),
                operation=str(meta.method_to_api_mapping[operation]),
                region=self.region,
            ) from None

    def pages(self, service: str, operation: str, key: str, /, **given: Any) -> list[dict[str, Any]]:
        """All items under `key` of a call that answers in pages (`NextToken`)."""
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            answer = self.call(service, operation, **given, **({"NextToken": token} if token else {}))
            found += answer.get(key, [])
            token = answer.get("NextToken")
            if not token:
                return found

    def endpoint(self, service: str) -> str:
        """The URL by which `service` is called."""
        return str(self._client(service).meta.endpoint_url)

    def signed_url(self, operation: str, seconds: int, /, **given: Any) -> str:
        """A URL by which anyone may do one operation on S3 for some time. Its holder gets no other right."""
        from botocore.config import Config  # noqa: PLC0415

        with self._lock:
            # Encrypted buckets take no older version, which botocore still has for URLs.
            config = Config(signature_version="s3v4")
            client = self._opened().create_client("s3", region_name=self.region, config=config)
        return str(client.generate_presigned_url(operation, Params=given, ExpiresIn=seconds))

    def credentials(self) -> Credentials:
        """The credentials of this moment, renewed by botocore before they expire. AwsInput: none."""
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

        with self._lock:
            try:
                found = self._opened().get_credentials()
                if found is None:
                    raise NoCredentialsError
                frozen = found.get_frozen_credentials()
            except Exception as error:
                raise explained(error, service="sts", operation="credentials", region=self.region) from None
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _client(self, service: str) -> Any:
        # Clients may be shared by threads, the session that makes them may not.
        with self._lock:
            if service not in self._clients:
                try:
                    self._clients[service] = self._made(service)
                except Exception as error:
                    raise explained(error, service=service, operation="connect", region=self.region) from None
            return self._clients[service]

    def _made(self, service: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - only where AWS is the platform

        config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            user_agent_extra="slipway",
        )
        return self._opened().create_client(service, region_name=self.region, config=config)

    def _opened(self) -> Any:
        if self._session is None:
            from botocore.session import Session  # noqa: PLC0415 - 0.1 s that other platforms do without

            self._session = Session(profile=self.profile or None)
        return self._session


@cache
def session_for(region: str, profile: str) -> AwsSession:
    """The one session of this process for a region and profile."""
    return AwsSession(region, profile)


def session_of(project: Project) -> AwsSession:
    """The session of the project's stack, which must be on platform aws."""
    settings = project.stack.aws
    if settings is None:
        raise BadInput(
            f"stack {project.stack.name} has no slipway:aws",
            remedy=f"account and region in Pulumi.{project.stack.name}.yaml (docs/aws.md)",
        )
    return session_for(settings.region, settings.profile)


def names_of(stack: Stack) -> AwsNames:
    """What the stack's parts are called."""
    from slipway.settings.aws_names import AwsNames  # noqa: PLC0415

    if stack.aws is None:
        raise BadInput(f"stack {stack.name} has no slipway:aws")
    return AwsNames(stack, stack.aws.account, stack.aws.region)


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


# Failures of AWS, in words a person can act on.


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

"""Boot secrets: what a host that starts by itself reads to know which release is live."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from slipway.platforms.aws.session import AwsSession
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Cloud, Role

MAX_BYTES = 65_536
"""Of a secret's value (docs.aws.amazon.com, "AWS Secrets Manager quotas")."""


def write(session: AwsSession, cloud: Cloud, documents: Mapping[Role, str]) -> None:
    """Replace the boot secret of every role in `documents`, all at once. New hosts follow it from now on.

    The documents hold the app's env, secrets included: none is ever told. BadInput: one is too large.
    """
    for role, text in documents.items():
        size = len(text.encode())
        if size > MAX_BYTES:
            raise BadInput(
                f"the boot document of role {role} has {size} bytes; AWS Secrets Manager takes {MAX_BYTES}",
                remedy="make large values of [env] smaller, or let the app fetch them itself",
            )

    def put(role: Role) -> None:
        secret = cloud.boot_secrets[role]
        session.call("secretsmanager", "put_secret_value", SecretId=secret, SecretString=documents[role])

    if documents:
        with ThreadPoolExecutor(len(documents), thread_name_prefix="boot-secret") as pool:
            list(pool.map(put, documents))

"""Secrets of a stack on AWS: one secret of Secrets Manager that holds one JSON object of name to value.

A change is made to the version that was read and no other. Secrets Manager has no conditional write, but
moving a label is one: `UpdateSecretVersionStage` refuses unless AWSCURRENT is where the caller saw it.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from slipway.platforms.aws.session import AwsRefused, AwsSession
from slipway.secrets.store import refuse_bad_entry
from slipway.settings import BadInput, Cloud, Role, SlipwayError
from slipway.storage.lease import LeaseLost

CURRENT = "AWSCURRENT"
NEXT = "SLIPWAY_NEXT"
"""Label of a version that is written and not yet the current one."""
MAX_BYTES = 65_536
"""Quota of Secrets Manager for one secret's value (docs.aws.amazon.com, "AWS Secrets Manager quotas")."""
ATTEMPTS = 5
_LOST = ("InvalidParameterException", "InvalidRequestException", "ResourceExistsException")
"""What AWS says when somebody else was first."""


@dataclass(frozen=True)
class Held:
    """What the secret held when it was read; `version` is empty before the first write."""

    values: dict[str, str] = field(repr=False)
    version: str = ""


class AwsStore:
    """A SecretStore in the secret `name` (or its ARN)."""

    def __init__(self, session: AwsSession, name: str, stack: str) -> None:
        self._session, self._name, self._stack = session, name, stack

    def read(self) -> dict[str, str]:
        return self._read().values

    def names(self) -> list[str]:
        return sorted(self.read())

    def set(self, name: str, value: str) -> None:
        """Adds or replaces one value."""
        self.update({name: value})

    def update(self, values: Mapping[str, str]) -> None:
        """Adds or replaces several values in one write."""
        for name, value in values.items():
            refuse_bad_entry(name, value)
        if values:
            self._change(lambda current: {**current, **values})

    def unset(self, name: str) -> None:
        """Removes one value; BadInput if it is not there."""

        def without(current: dict[str, str]) -> dict[str, str]:
            if name not in current:
                raise BadInput(f"there is no secret {name}", remedy="see `slipway secrets list`")
            return {other: value for other, value in current.items() if other != name}

        self._change(without)

    def _read(self) -> Held:
        try:
            found = self._session.call(
                "secretsmanager", "get_secret_value", SecretId=self._name, VersionStage=CURRENT
            )
        except AwsRefused as refused:
            if refused.code == "InvalidRequestException":
                raise BadInput(
                    f"the secret {self._name} is marked for deletion",
                    remedy=f"aws secretsmanager restore-secret --secret-id {self._name}",
                ) from None
            if refused.code != "ResourceNotFoundException":
                raise
            self._must_exist()
            return Held({})
        return Held(_values(found.get("SecretString", ""), self._name), found["VersionId"])

    def _must_exist(self) -> None:
        """A secret without any value is as good as an empty one; a missing one is not."""
        try:
            self._session.call("secretsmanager", "describe_secret", SecretId=self._name)
        except AwsRefused as refused:
            if refused.code != "ResourceNotFoundException":
                raise
            raise BadInput(
                f"stack {self._stack} has no secret {self._name} in {self._session.region}",
                remedy=f"provision it first: slipway up --stack {self._stack}, with the pulumi CLI on PATH",
            ) from None

    def _change(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        for _ in range(ATTEMPTS):
            held = self._read()
            wanted = change(held.values)
            if wanted == held.values or self._replaced(held, wanted):
                return
        raise SlipwayError(
            f"the secret {self._name} was changed by others {ATTEMPTS} times while it was to be written",
            remedy="run the command again",
        )

    def _replaced(self, held: Held, values: dict[str, str]) -> bool:
        """Write `values` in place of what was `held`; False if it is no longer the current version."""
        text = json.dumps(values, sort_keys=True, ensure_ascii=False)
        if len(text.encode()) > MAX_BYTES:
            raise BadInput(
                f"the secrets of stack {self._stack} would have {len(text.encode())} bytes together, and AWS "
                f"Secrets Manager takes {MAX_BYTES}",
                remedy="keep large files elsewhere, and only what opens them here",
            )
        # The first version is current at once, and its id is the same for all who would write it.
        version = str(uuid.uuid4() if held.version else uuid.uuid5(uuid.NAMESPACE_URL, self._name))
        try:
            self._session.call(
                "secretsmanager", "put_secret_value", SecretId=self._name, SecretString=text,
                ClientRequestToken=version, VersionStages=[NEXT if held.version else CURRENT],
            )  # fmt: skip
            if held.version:
                self._session.call(
                    "secretsmanager", "update_secret_version_stage", SecretId=self._name,
                    VersionStage=CURRENT, RemoveFromVersionId=held.version, MoveToVersionId=version,
                )  # fmt: skip
        except AwsRefused as refused:
            if refused.code in _LOST:
                return False
            raise
        return True


def _values(text: str, name: str) -> dict[str, str]:
    try:
        content: Any = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, Any]", content).values()
    ):
        raise BadInput(
            f"the secret {name} does not hold one JSON object of name to text",
            remedy="put back a version that slipway wrote: aws secretsmanager list-secret-version-ids",
        )
    return cast("dict[str, str]", content)


def write_boot_documents(
    session: AwsSession, cloud: Cloud, documents: Mapping[Role, str], order: tuple[int, int]
) -> None:
    """Replace the boot secret of every role in `documents`, all at once. New hosts follow it from now on.

    The documents hold the app's env, secrets included, and appear in no message. `order` is fence and step of
    the command. BadInput: one is too large; LeaseLost: a newer command has written one.
    """
    for role, text in documents.items():
        size = len(text.encode())
        if size > MAX_BYTES:
            raise BadInput(
                f"the boot document of role {role} has {size} bytes; AWS Secrets Manager takes {MAX_BYTES}",
                remedy="make large values of [env] smaller, or let the app fetch them itself",
            )

    def put(role: Role) -> None:
        _BootSecret(session, cloud.boot_secrets[role]).write(documents[role], order)

    if documents:
        with ThreadPoolExecutor(len(documents), thread_name_prefix="boot-secret") as pool:
            list(pool.map(put, documents))


_VERSION = re.compile(r"slipway-([0-9]{13})-([0-9]{6})-[0-9a-f]{32}")


class _BootSecret:
    """A boot document as a secret. Its version's id holds the order of the command that wrote it.

    So the order is known without reading the document, which a release may not do.
    """

    def __init__(self, session: AwsSession, name: str) -> None:
        self._session, self._name = session, name

    def write(self, text: str, order: tuple[int, int]) -> None:
        """Make `text` current, unless the current version is of a newer order. Raises LeaseLost then."""
        fence, step = order
        version = f"slipway-{fence:013d}-{step:06d}-{uuid.uuid4().hex}"
        is_written = False
        for _ in range(ATTEMPTS):
            current = self._current()
            if current == version:
                return
            if _order_of(current) > order:
                raise LeaseLost(
                    f"a newer command (fence {_order_of(current)[0]}) decides what new hosts start",
                    remedy="`slipway status` says what serves",
                )
            if not is_written:
                self._put(text, version)
                is_written = True
                if not current:
                    continue  # AWS makes a secret's first version current by itself
            if self._move(current, version):
                return
        raise SlipwayError(
            f"the secret {self._name} was changed by others {ATTEMPTS} times while it was to be written",
            remedy="run the command again",
        )

    def _current(self) -> str:
        found = self._session.call("secretsmanager", "describe_secret", SecretId=self._name)
        stages: Mapping[str, list[str]] = found.get("VersionIdsToStages") or {}
        return next((version for version, labels in stages.items() if CURRENT in labels), "")

    def _put(self, text: str, version: str) -> None:
        self._session.call(
            "secretsmanager", "put_secret_value", SecretId=self._name, SecretString=text,
            ClientRequestToken=version, VersionStages=[NEXT],
        )  # fmt: skip

    def _move(self, seen: str, version: str) -> bool:
        """Make `version` current in place of the one `seen` (empty: none); False if that no longer is."""
        instead = {"RemoveFromVersionId": seen} if seen else {}
        try:
            self._session.call(
                "secretsmanager", "update_secret_version_stage", SecretId=self._name, VersionStage=CURRENT,
                MoveToVersionId=version, **instead,
            )  # fmt: skip
        except AwsRefused as refused:
            if refused.code in _LOST:
                return False
            raise
        return True


def _order_of(version: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else (-1, -1)

"""The boot document: all that a new host needs to start the live release by itself. Pure; the agent reads it.

Its fields are described where they are read: hosts/agent/boot_document.py.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hosts.agent.boot_document import PACKED, SCHEMA
from slipway.settings.outputs import Role
from slipway.storage.records import Release

if TYPE_CHECKING:
    from slipway.build.manifest import Manifest

PLAIN_BYTES = 65_536
"""The longest text of a secret in AWS Secrets Manager; what is longer is packed."""
READ_BY_HOSTS = {"layers", "processes", "cron", "migrate"}


def boot_document(
    role: Role,
    release: Release,
    manifest: Manifest,
    *,
    fence: int,
    hold_seconds: float,
    site: str,
    secret_names: Sequence[str],
    env: Mapping[str, Mapping[str, str]],
) -> str:
    """The document of `role` for `release`, under the fence of the command that makes it live."""
    stage = {
        "release": release.number,
        "build": release.build,
        "config": release.config,
        "manifest": manifest.model_dump(mode="json", include=READ_BY_HOSTS),
        "site": site,
        "secret_names": list(secret_names),
        "env": {scope: dict(values) for scope, values in env.items()},
    }
    return _text(
        {"schema": SCHEMA, "role": role, "fence": fence, "hold_seconds": hold_seconds, "stage": stage}
    )


def nothing_live(role: Role, *, fence: int) -> str:
    """The document of a stack whose first release was taken back."""
    return _text({"schema": SCHEMA, "role": role, "fence": fence, "stage": {"release": 0}})


def _text(document: Mapping[str, object]) -> str:
    plain = json.dumps(document, separators=(",", ":"))
    if len(plain.encode()) <= PLAIN_BYTES:
        return plain
    return PACKED + base64.b64encode(zlib.compress(plain.encode(), 9)).decode()

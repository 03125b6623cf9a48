"""What a fleet is made from, as one digest: if that is what it was made from, there is nothing to do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import hosts
from hosts.render import TEMPLATES
from slipway.settings.project import Project

_CODE = ("*.py", "data/*.py", "agent/*.py")
_ELSEWHERE = ("aws", "cloud-init")
"""Templates of other platforms."""


def wanted_digest(project: Project) -> str:
    """64 hex characters over the stack's and app's settings and the code that sets hosts up. No secrets."""
    settings = {
        "stack": project.stack.model_dump(mode="json"),
        "app": project.app.model_dump(mode="json"),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for folder, patterns in ((Path(hosts.__path__[0]), _CODE), (TEMPLATES, ("**/*",))):
        for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
            if path.is_file() and path.relative_to(folder).parts[0] not in _ELSEWHERE:
                digest.update(f"{path.relative_to(folder)}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

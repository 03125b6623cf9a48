"""The digest that each host has once it is set up for the settings of this moment, kept between commands.

Computing them renders every template and imports pyinfra, which takes longer than a whole rollback. The same
inputs give the same digests, so they are kept in the stack's state folder under a digest of the inputs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from slipway.platforms.platform import platform_of
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

SOURCES = ("hosts", "templates", "slipway/settings")
VERSIONS = "uv.lock"
KEPT = "setup_digests.json"


def setup_digests(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
    """The digests, by host name."""
    kept = project.state_dir / KEPT
    key = _key(project, outputs, secrets)
    try:
        found: dict[str, object] = json.loads(kept.read_text())
    except (OSError, ValueError):
        found = {}
    if found.get("key") == key and isinstance(digests := found.get("digests"), dict):
        return {str(host): str(digest) for host, digest in digests.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    digests = platform_of(project).setup_digests(outputs, secrets)
    # Computing may have made a certificate that was missing, which changes the key: compute it again.
    kept.write_text(json.dumps({"key": _key(project, outputs, secrets), "digests": digests}))
    return digests


def _key(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> str:
    """A digest of settings and secrets by content, of our sources and the certificates by time and size."""
    digest = hashlib.sha256()
    for model in (project.app, project.stack, outputs):
        digest.update(model.model_dump_json().encode())
    digest.update(json.dumps(dict(secrets), sort_keys=True).encode())
    root = Path(__file__).parents[2]
    files = [path for folder in SOURCES for path in (root / folder).rglob("*") if path.is_file()]
    for line in _stats([*files, *root.glob(VERSIONS), *(project.state_dir / "tls").glob("*")]):
        digest.update(line.encode())
    return digest.hexdigest()


def _stats(files: Iterable[Path]) -> list[str]:
    return sorted(
        f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in files if path.suffix != ".pyc"
    )

"""A stack's state folder: one `up` or `down` at a time, private files, and the digests of hosts' set-up."""

import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hosts.inventory.parts import Inventory
from slipway.platforms.platform import platform_of
from slipway.secrets.signing import signers_file
from slipway.settings import LeaseHeld, Outputs, Project


@contextmanager
def only_one(project: Project) -> Generator[None]:
    """Hold the fleet's lock on this machine; LeaseHeld names the process that has it. A dead one has not."""
    project.state_dir.mkdir(parents=True, exist_ok=True)
    path = project.state_dir / "up.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(handle, 20).decode()
            raise LeaseHeld(
                f"another `slipway up` or `down` of {project.fleet_id} runs (pid {pid})", remedy="wait for it"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, never readable by others, and never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def keep_private(path: Path, content: bytes) -> bool:
    """`write_private` unless it holds just that already; True if it was written."""
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        pass
    write_private(path, content)
    return True


SOURCES = ("hosts", "templates", "slipway/settings", "uv.lock")
"""What decides, besides a stack's settings, secrets and certificates, how a host is set up."""
DIGESTS_FILE = "setup_digests.json"


def setup_digests(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
    """By host name, the digest that a host has once it is set up for the settings of this moment."""
    return set_ups(project, outputs, secrets)[0]


def set_ups(
    project: Project, outputs: Outputs, secrets: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, Inventory]]:
    """By host name, digests and inventories of the set-up for the settings of this moment.

    Computing them renders every template and imports pyinfra, which takes longer than a whole rollback. The
    same inputs give the same results, so they are kept under a digest of the inputs.
    """
    kept = project.state_dir / DIGESTS_FILE
    key = _key(project, outputs, secrets)
    try:
        found: dict[str, Any] = json.loads(kept.read_text())
        if found["key"] == key:
            read = found["inventories"].items()
            return dict(found["digests"]), {name: Inventory.from_json(each) for name, each in read}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none yet, another version's, or damaged: computed again
    digests, inventories = platform_of(project).set_ups(outputs, secrets)
    # Computing may have made a certificate that was missing, which changes the key: compute it again.
    document = {
        "key": _key(project, outputs, secrets),
        "digests": digests,
        "inventories": {name: each.to_json() for name, each in inventories.items()},
    }
    # Private: the digest of a file with a weak secret would let it be guessed.
    write_private(kept, json.dumps(document).encode())
    return digests, inventories


def _key(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> str:
    """A digest of settings and secrets by content, of our sources and the certificates by time and size."""
    digest = hashlib.sha256()
    for model in (project.app, project.stack, outputs):
        digest.update(model.model_dump_json().encode())
    digest.update(json.dumps(dict(secrets), sort_keys=True).encode())
    root = Path(__file__).parents[2]
    places = [*(root / source for source in SOURCES), project.state_dir / "tls", signers_file(project)]
    for path in sorted(file for place in places for file in (place, *place.rglob("*"))):
        if path.is_file() and path.suffix != ".pyc":
            found = path.stat()
            digest.update(f"{path} {found.st_mtime_ns} {found.st_size}".encode())
    return digest.hexdigest()

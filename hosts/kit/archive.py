"""The kit as an archive, and where it lies in the builds bucket."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from hosts.kit.contents import contents
from hosts.plan import FleetPlan
from hosts.render import verbatim
from slipway.settings.aws_names import SETUP_KITS
from slipway.settings.outputs import Role

RUNNER = Path(__file__).parent / "setup.py"


def make(plan: FleetPlan, role: Role) -> bytes:
    """The kit of `role`: a tar.gz, the same bytes for the same plan. Unpacked, `python3 -I setup.py` runs it.

    A bare Debian has neither zstd nor pyinfra, but it has Python.
    """
    members = {
        **_programs(),
        "kit.json": json.dumps({**contents(plan, role), "digest": kit_digest(plan, role)}),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in sorted(members.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o600
            archive.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def kit_digest(plan: FleetPlan, role: Role) -> str:
    """64 hex characters over all that the kit does; a host that was set up with it keeps them."""
    told = json.dumps([contents(plan, role), _programs()], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def kit_objects(plan: FleetPlan, role: Role) -> dict[str, bytes]:
    """Key in the builds bucket → content, in the order of writing: the kit, then what points to it.

    Hosts follow the pointer and refuse an archive of another digest, so that a half-written change is
    never set up, and an older archive can stay for those that are just fetching it.
    """
    archive = make(plan, role)
    digest = hashlib.sha256(archive).hexdigest()
    key = f"{SETUP_KITS}/{role}-{digest[:16]}.tar.gz"
    pointer = {"key": key, "sha256": digest, "bytes": len(archive)}
    return {key: archive, f"{SETUP_KITS}/{role}.json": json.dumps(pointer).encode()}


def _programs() -> dict[str, str]:
    return {
        "setup.py": RUNNER.read_text(),
        "place.py": verbatim("base/place.py"),
        "install.sh": verbatim("base/install.sh"),
    }

"""The kit as an archive, and where it lies in the builds bucket."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import slipway.settings
from hosts.agent.signature import KIT, canonical
from hosts.digest import setup_digest
from hosts.plan import FleetPlan, pack
from hosts.render import TEMPLATES
from slipway.settings import BadInput, Host, Role
from slipway.settings.aws_names import SETUP_KITS

KIT_ROLES: tuple[Role, ...] = ("web", "worker")
PYTHON_INDEX = f"{SETUP_KITS}/python.json"
"""Names the archives of Python packages: {digest, archives: {target: {key, sha256}}, signer, signature}."""
_HOSTS = Path(__file__).parents[1]
_SETTINGS = Path(slipway.settings.__file__).parent
_HERE_ONLY = ("aws", "base", "data", "haproxy", "previews", "systemd")
"""Folders of templates/ that web and worker hosts need: SQL of previews' databases is in `data`."""

PythonArchives = Mapping[str, Mapping[str, str]]
"""Target to `key` and `sha256` (hosts/kit/python_packages.py)."""
Sign = Callable[[bytes, str], tuple[str, str]]
"""Content and namespace to signer and signature (`Signing.sign`)."""


def make(plan: FleetPlan, role: Role, python: PythonArchives) -> bytes:
    """The kit of `role`: a tar.gz, the same bytes for the same plan. Unpacked, `python3 -I setup.py` runs it.

    It holds no secret and nothing that only one host knows. BadInput: no kit is made for such a role.
    """
    if role not in KIT_ROLES or not plan.hosts_come_and_go:
        raise BadInput(f"a set-up kit is for web and worker hosts that come and go, not for role {role}")
    members = {**_sources(), "ca.pem": plan.ca_file.read_bytes(), "plan.json": pack(plan).encode()}
    members["kit.json"] = json.dumps(_facts(plan, role, python), sort_keys=True).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def kit_digest(plan: FleetPlan, role: Role) -> str:
    """The set-up digest of every host of `role`; a host that was set up with the kit keeps it."""
    return setup_digest(plan, Host(name=role, roles=(role,), address="", ssh_host=""))


def pointer_key(role: Role) -> str:
    """Where in the builds bucket new hosts of `role` look for the name of their kit."""
    return f"{SETUP_KITS}/{role}.json"


def kit_key(role: Role, sha256: str) -> str:
    """Where in the builds bucket the kit of `role` with this digest is."""
    return f"{SETUP_KITS}/{role}-{sha256[:16]}.tar.gz"


def statement(fleet: str, role: Role, sha256: str, made: int) -> bytes:
    """What the signature of a kit is over. `made`: ms since 1970, greater for each newer kit of the role.

    A new host composes the same (templates/cloud-init/host.py.j2).
    """
    return canonical({"schema": 1, "stack": fleet, "role": role, "sha256": sha256, "made": made})


def kit_objects(
    plan: FleetPlan, role: Role, python: PythonArchives, made: int, sign: Sign
) -> dict[str, bytes]:
    """Key in the builds bucket to content, in the order of writing: the kit, then what points to it.

    Hosts follow the pointer if a signer of the stack signed it, and refuse an archive of another digest. So a
    half-written change is never set up, and an older archive can stay for those that are just fetching it.
    """
    archive = make(plan, role, python)
    digest = hashlib.sha256(archive).hexdigest()
    key = kit_key(role, digest)
    signer, signature = sign(statement(plan.fleet, role, digest, made), KIT)
    pointer = {
        "key": key, "sha256": digest, "bytes": len(archive), "made": made,
        "signer": signer, "signature": signature,
    }  # fmt: skip
    return {key: archive, pointer_key(role): json.dumps(pointer).encode()}


def python_objects(fleet: str, archives: Mapping[str, bytes], digest: str, sign: Sign) -> dict[str, bytes]:
    """The same for the Python packages: the archives by target, then `PYTHON_INDEX`."""
    digests = {target: hashlib.sha256(content).hexdigest() for target, content in archives.items()}
    keys = {target: f"{SETUP_KITS}/python-{target}-{found[:16]}.tar.gz" for target, found in digests.items()}
    index = {
        "digest": digest,
        "archives": {target: {"key": keys[target], "sha256": digests[target]} for target in archives},
    }
    signer, signature = sign(python_statement(fleet, index), KIT)
    objects = {keys[target]: content for target, content in archives.items()}
    signed = {**index, "signer": signer, "signature": signature}
    return {**objects, PYTHON_INDEX: json.dumps(signed).encode()}


def python_statement(fleet: str, index: Mapping[str, object]) -> bytes:
    """What the signature of `PYTHON_INDEX` is over. Kits name these archives; hosts import them as root."""
    archives = {"digest": index.get("digest"), "archives": index.get("archives")}
    return canonical({"schema": 1, "stack": fleet, "python": archives})


def _facts(plan: FleetPlan, role: Role, python: PythonArchives) -> dict[str, Any]:
    builds = plan.outputs.builds
    endpoint = builds.endpoint or f"https://s3.{builds.region}.amazonaws.com"
    return {
        "role": role,
        "digest": kit_digest(plan, role),
        "builds": {"bucket": builds.bucket, "region": builds.region, "endpoint": endpoint},
        "python": {target: dict(archive) for target, archive in python.items()},
    }


def _sources() -> dict[str, bytes]:
    """What the deploy imports and renders, and the program that starts it."""
    found = {f"hosts/{path.relative_to(_HOSTS).as_posix()}": path for path in _HOSTS.rglob("*.py")}
    found |= {
        f"slipway/settings/{path.relative_to(_SETTINGS).as_posix()}": path
        for path in (*_SETTINGS.rglob("*.py"), _SETTINGS / "__init__.pyi")
    }
    found["slipway/__init__.py"] = _SETTINGS.parent / "__init__.py"
    for folder in _HERE_ONLY:
        for path in (TEMPLATES / folder).iterdir():
            found[f"templates/{folder}/{path.name}"] = path
    found["setup.py"] = Path(__file__).parent / "setup.py"
    return {name: path.read_bytes() for name, path in found.items()}

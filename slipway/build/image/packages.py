"""The packages that an image's own databases name, for the SBOM: those of dpkg and of apk."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slipway.build.image.files import Files
from slipway.build.lockfiles import Package

DPKG = "var/lib/dpkg/status"
DISTROLESS = "var/lib/dpkg/status.d/"
"""Images without dpkg have a file for each package here."""
APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


def installed(files: Files) -> list[Package]:
    """Every installed package, sorted; none if the image has neither database."""
    found = [*_dpkg(files), *_apk(files)]
    return sorted(set(found), key=lambda package: (package.ecosystem, package.name, package.version))


def _dpkg(files: Files) -> Iterator[Package]:
    system = _system(files, "debian")
    texts = [files.read(DPKG)]
    texts += [
        files.read(name)
        for name in files.nodes
        if name.startswith(DISTROLESS) and not name.endswith(".md5sums")
    ]
    for paragraph in re.split(r"\n\s*\n", "\n\n".join(texts)):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        is_there = fields.get("Status", "install ok installed").endswith(" installed")
        if is_there and "Package" in fields and "Version" in fields:
            yield Package("deb", f"{system}/{fields['Package']}", fields["Version"])


def _apk(files: Files) -> Iterator[Package]:
    system = _system(files, "alpine")
    for paragraph in "\n\n".join(files.read(name) for name in APK).split("\n\n"):
        fields = dict(re.findall(r"^([PV]):(.*)$", paragraph, re.MULTILINE))
        if "P" in fields and "V" in fields:
            yield Package("apk", f"{system}/{fields['P']}", fields["V"])


def _system(files: Files, default: str) -> str:
    """The distribution's short name, from os-release."""
    said = files.read("etc/os-release") or files.read("usr/lib/os-release")
    name = re.search(r'^ID="?([a-z0-9._-]+)"?$', said, re.MULTILINE)
    return name[1] if name else default

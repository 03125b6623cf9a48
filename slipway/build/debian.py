"""Debian packages for the runtime layer: fetched by apt, which proves who signed them, and unpacked.

Sources and keys are those of this machine (`/etc/apt`), so its Debian or Ubuntu decides the versions. Nothing
is installed: apt gets a state of its own, in slipway's cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from slipway.build import cache
from slipway.settings import BadInput, SlipwayError

FRESH_SECONDS = 86400
"""How long the versions found are used before apt is called again."""
SERVE_APT_ONLY = ("debconf", "dpkg", "sensible-utils", "ucf")
"""Packages that only the scripts of other packages need, which are never run here."""
CONFIG = """\
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
{sandbox}"""
"""apt's settings; the hooks of this machine are for this machine's own packages."""


@dataclass(frozen=True)
class Deb:
    """One package as apt resolved it. `file` is its name in apt's archives."""

    uri: str
    name: str
    version: str
    arch: str
    file: str
    sha256: str = ""
    """Hash of the archive, once it was fetched and apt has proved it."""

    @classmethod
    def read(cls, uri_line: str) -> Deb:
        """From a line of `--print-uris`: the address in quotes, file, bytes, hash."""
        uri, file, *_ = uri_line.split()
        name, version, arch = file.removesuffix(".deb").split("_")
        return cls(uri.strip("'"), name, urllib.parse.unquote(version), arch, file)

    def archive(self, archives: Path) -> Path:
        """Where apt has put it; it leaves packages of a source on this machine where they are."""
        return Path(self.uri[5:]) if self.uri.startswith("file:/") else archives / self.file


@dataclass(frozen=True)
class Resolved:
    """What `wanted` consists of, dependencies included; `digest` (12 hex digits) changes with any of them."""

    wanted: tuple[str, ...]
    debs: tuple[Deb, ...]
    is_new: bool = True
    """Looked up just now."""

    @property
    def digest(self) -> str:
        text = "\n".join(sorted(deb.file for deb in self.debs))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def version_of(self, name: str) -> str:
        """The version of a package without epoch and Debian's own revision; empty if it is none of them."""
        found = next((deb.version for deb in self.debs if deb.name == name), "")
        return found.rpartition(":")[2].partition("-")[0].partition("+")[0]


def resolve(wanted: Sequence[str], line: Callable[[str], None], *, fresh: bool = False) -> Resolved:
    """The packages that `wanted` needs, as this machine's sources have them; looked up once a day.

    `fresh`: looked up now. Raises BadInput for a package or version that they do not have, SlipwayError if
    they cannot be reached or are not signed.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise BadInput(
            f"runtime: {', '.join(wanted)} of Debian cannot be fetched: this machine has no apt",
            remedy="build on Debian or Ubuntu, or in a container of it",
        )
    key = cache.settings_digest(list(wanted), str(os.environ.get("APT_CONFIG", "")))
    known = cache.recall("apt", key)
    if known and not fresh and time.time() - known["at"] < FRESH_SECONDS:
        return Resolved(tuple(wanted), tuple(Deb(**each) for each in known["debs"]), is_new=False)
    with _locked():
        line(f"looking for {', '.join(wanted)} in Debian's packages")
        updated = _apt("update")
        said = _apt("install", "--yes", "--print-uris", *wanted)
    if updated.returncode and known and not fresh:
        day = time.strftime("%F", time.gmtime(known["at"]))
        line(f"apt cannot read its sources; the packages of {day} are taken")
        return Resolved(tuple(wanted), tuple(Deb(**each) for each in known["debs"]), is_new=False)
    if updated.returncode:
        raise SlipwayError(
            "apt could not read this machine's package sources",
            remedy="`apt-get update` says more; a source must be signed by a key that /etc/apt trusts",
            details=_complaints(updated),
        )
    if said.returncode:
        raise BadInput(
            f"runtime.apt: apt cannot provide {', '.join(wanted)}",
            remedy="`apt-cache policy PACKAGE` shows what this machine's sources have",
            details=[*_complaints(updated), *_complaints(said)],
        )
    debs = tuple(Deb.read(text) for text in said.stdout.splitlines() if text.startswith("'"))
    debs = tuple(deb for deb in debs if deb.name not in SERVE_APT_ONLY)
    cache.remember("apt", key, {"at": time.time(), "debs": [vars(deb) for deb in debs]})
    return Resolved(tuple(wanted), debs)


def unpack(resolved: Resolved, root: Path, line: Callable[[str], None]) -> list[Deb]:
    """Fetch the packages and unpack them into the new folder `root`, with /bin and /lib merged into /usr.

    They come back with their hashes. Raises SlipwayError if one cannot be fetched or is not what was signed.
    """
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    with _locked() as state:
        line(f"fetching {len(resolved.debs)} packages of Debian")
        done = _apt("install", "--yes", "--download-only", *resolved.wanted)
        archives = state / "cache" / "archives"
        missing = [deb.file for deb in resolved.debs if not deb.archive(archives).is_file()]
        if done.returncode or missing:
            raise SlipwayError(
                f"apt could not fetch the packages of runtime.apt{': ' + missing[0] if missing else ''}",
                remedy="try again: is the network up, and is there room on the disk?",
                details=_complaints(done),
            )
        for deb in resolved.debs:
            _unpack(deb.archive(archives), root)
        hashed = [replace(deb, sha256=cache.file_digest(deb.archive(archives))) for deb in resolved.debs]
        shutil.rmtree(archives)
    return hashed


def _unpack(archive: Path, root: Path) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as packed:
        tar = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root)]
        subprocess.run(tar, stdin=packed.stdout, check=True)
    if packed.returncode:
        raise SlipwayError(f"{archive.name} could not be unpacked", remedy="free some disk, then try again")


@contextmanager
def _locked() -> Generator[Path]:
    """The folder of apt's state; one build at a time uses it."""
    state = cache.cache_dir() / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    sandbox = 'APT::Sandbox::User "root";\n' if os.geteuid() == 0 else ""
    (state / "apt.conf").write_text(CONFIG.format(state=state, sandbox=sandbox))
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield state


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    config = cache.cache_dir() / "apt" / "apt.conf"
    return subprocess.run(
        ["apt-get", "--quiet=2", f"--config-file={config}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def _complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [text for text in done.stderr.splitlines() if text.startswith(("E:", "W:"))]
    return lines[-5:]

"""The Debian image under all others: pulled, or made by debootstrap when no image registry answers."""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.local.bake import SOURCES_LIST, Files
from slipway.platforms.local.docker import Docker, install
from slipway.progress import Progress
from slipway.settings import BadInput, SlipwayError
from slipway.settings.debian import DEFAULT, RELEASES

ANSWER_SECONDS = 15.0
"""How long a registry has to say its first word."""
PULL_SECONDS = 300.0
_TMPFS_NEEDS = 2 * 1024**3


def suite_of(image: str) -> str:
    """The Debian suite of an image name: `debian:bookworm-slim` is bookworm."""
    found = re.search(r"debian:([a-z]+)", image)
    return found[1] if found and found[1] not in ("stable", "latest") else RELEASES[DEFAULT].suite


def find_debian(docker: Docker, image: str, mirror: Mirror | None) -> str | None:
    """The tag of `image`, or of one made in its stead, if it is on this machine."""
    return next((tag for tag in (image, _made_tag(image, mirror)) if docker.inspect("image", tag)), None)


def ensure_debian(docker: Docker, image: str, mirror: Mirror | None, progress: Progress) -> str:
    """The tag of a plain Debian image for `image`: there already, pulled, or made here."""
    found = find_debian(docker, image, mirror)
    if found:
        return found
    if pull(docker, image):
        return image
    progress.line(f"no image registry answers: making {image} by debootstrap")
    if mirror is None:
        raise BadInput(
            f"cannot pull {image}, and this machine's apt knows no Debian archive to make it from",
            remedy="give Docker a way to an image registry, or load the image with docker load",
        )
    if os.geteuid() != 0:
        raise BadInput(f"cannot pull {image}, and making it needs root", remedy="run `sudo slipway up` once")
    return _make(docker, _made_tag(image, mirror), mirror)


def pull(docker: Docker, image: str, answer_seconds: float = ANSWER_SECONDS) -> bool:
    """Pull `image`; False when no registry gives it, found out within `answer_seconds`."""
    process = subprocess.Popen(
        [docker.binary, "pull", image], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            if not waiting.select(answer_seconds):
                return False
        process.communicate(timeout=PULL_SECONDS)
        return process.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        process.kill()
        process.wait()


def _made_tag(image: str, mirror: Mirror | None) -> str:
    suite = mirror.suite if mirror else suite_of(image)
    origin = hashlib.sha256((mirror.main if mirror else "").encode()).hexdigest()[:8]
    return f"slipway/debian:{suite}-{origin}"


def _make(docker: Docker, tag: str, mirror: Mirror) -> str:
    """debootstrap a minimal tree and import it. In memory where there is room: dpkg syncs a lot."""
    if shutil.which("debootstrap") is None:
        install("debootstrap")
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    roomy = memory.is_dir() and min(_available_memory(), shutil.disk_usage(memory).free) > _TMPFS_NEEDS
    with tempfile.TemporaryDirectory(prefix="slipway-debian-", dir=memory if roomy else None) as folder:
        root = Path(folder) / "root"
        root.mkdir(mode=0o755)
        keyring = mirror.keyring or KEYRING
        keys = [f"--keyring={keyring}"] if keyring.is_file() else []
        made = subprocess.run(
            [*_own_mounts(), "debootstrap", "--variant=minbase", *keys, mirror.suite, str(root), mirror.main],
            check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        if made.returncode != 0:
            log = root / "debootstrap/debootstrap.log"
            lines = (
                log.read_text(errors="replace") if log.is_file() else made.stdout + made.stderr
            ).splitlines()
            raise SlipwayError(f"debootstrap of {mirror.suite} from {mirror.main} failed", details=lines[-8:])
        with subprocess.Popen(
            ["tar", "-C", str(root), "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*",
             "--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*", "-c", "."],
            stdout=subprocess.PIPE,
        ) as packing:  # fmt: skip
            imported = subprocess.run(
                [docker.binary, "import", "-", tag],
                stdin=packing.stdout,
                check=False,
                capture_output=True,
                text=True,
            )
        if imported.returncode != 0 or packing.returncode != 0:
            raise SlipwayError(f"docker import of {tag} failed", details=imported.stderr.splitlines()[-4:])
    return tag


def _own_mounts() -> list[str]:
    """debootstrap mounts /proc and /sys in the tree; in a namespace they vanish with it, however it ends."""
    works = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode == 0
    return ["unshare", "--mount"] if works else []


def _available_memory() -> int:
    """Bytes of memory that may be used."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(found[1]) * 1024 if found else 0


# This machine's Debian mirror, keys and apt settings, which the hosts use too.

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_KEYRING_ON_HOST = "/usr/share/keyrings/slipway-mirror.gpg"
LOCAL_CAS = Path("/usr/local/share/ca-certificates")
_FORMAT = "$(ORIGIN)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)"
_KEPT_SETTINGS = re.compile(r'^(Acquire::(?:Check-|https?::|Retries|ForceIPv)\S*) "(.*)";$')


@dataclass(frozen=True)
class Mirror:
    """A Debian mirror as this machine's apt knows it."""

    suite: str
    main: str
    """URI of the archive that holds `suite`."""
    sources: tuple[tuple[str, str], ...]
    """(URI, release) of the suite and its -updates and -security."""
    keyring: Path | None
    """Keys that sign it; None: those of debian-archive-keyring, which apt trusts anyway."""

    def sources_list(self, keyring: str | None) -> str:
        """sources.list lines; `keyring` is a path on the host, None for the trusted ones."""
        signed = f"[signed-by={keyring}] " if keyring else ""
        return "".join(f"deb {signed}{uri} {release} main\n" for uri, release in self.sources)

    def backports(self) -> str:
        """The sources.list line of the suite's backports."""
        return f"deb {self.main} {self.suite}-backports main\n"


def find_mirror(suite: str) -> Mirror | None:
    """The machine's mirror for Debian `suite`; None where apt is missing or knows no Debian archive."""
    if shutil.which("apt-get") is None:
        return None
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"],
        check=False,
        capture_output=True,
        text=True,
    )
    return parse_targets(suite, done.stdout)


def parse_targets(suite: str, text: str) -> Mirror | None:
    """`find_mirror` on the output of `apt-get indextargets`."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 4]
    main = [
        (origin, release, uri.rstrip("/"), entry)
        for origin, release, part, uri, entry in rows
        if part == "main"
    ]
    exact = [row for row in main if row[1] == suite]
    debian = exact or [row for row in main if row[0] == "Debian" and "-" not in row[1]]
    if not debian:
        return None
    _, known, uri, entry = debian[0]
    # Where one suite's -updates and -security are, those of the others are too.
    beside = dict.fromkeys((row[2], row[1]) for row in main if row[1].startswith(f"{known}-"))
    more = ((where, release.replace(known, suite, 1)) for where, release in beside)
    wanted = ((uri, suite), *(pair for pair in more if "backports" not in pair[1]))
    return Mirror(suite, uri, wanted, _signed_by(entry))


def apt_files(mirror: Mirror | None) -> Files:
    """What makes a host's apt work as this machine's does: settings, authorities, sources and their key."""
    files = [("/etc/apt/apt.conf.d/80machine", 0o644, apt_settings().encode())]
    files += [(path, 0o644, content) for path, content in extra_cas().items()]
    if mirror:
        keyring = _KEYRING_ON_HOST if mirror.keyring else None
        files.append((SOURCES_LIST, 0o644, mirror.sources_list(keyring).encode()))
        if mirror.keyring:
            files.append((_KEYRING_ON_HOST, 0o644, mirror.keyring.read_bytes()))
    return tuple(files)


def apt_settings() -> str:
    """This machine's apt settings about proxies, retries and dates, as an apt.conf."""
    if shutil.which("apt-config") is None:
        return ""
    dump = subprocess.run(["apt-config", "dump"], check=False, capture_output=True, text=True).stdout
    kept = (_KEPT_SETTINGS.match(line) for line in dump.splitlines())
    return "".join(f'{found[1]} "{found[2]}";\n' for found in kept if found and found[2])


def extra_cas() -> dict[str, bytes]:
    """Certificate authorities that were added to this machine: path on a host → PEM."""
    return (
        {str(path): path.read_bytes() for path in sorted(LOCAL_CAS.glob("**/*.crt"))}
        if LOCAL_CAS.is_dir()
        else {}
    )


def _signed_by(entry: str) -> Path | None:
    """The keyring named by a sources entry `file:line`, if it names one that is a file."""
    path = Path(entry.rpartition(":")[0])
    if not path.is_file():
        return None
    found = re.search(r"signed-by\s*[:=]\s*(/[^\s\]]+)", path.read_text(errors="replace"), re.IGNORECASE)
    keyring = Path(found[1]) if found else None
    return keyring if keyring and keyring.is_file() and keyring != KEYRING else None

"""Where this machine gets Debian packages from, so that the hosts use the same mirror, keys and settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
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
    _, _, uri, entry = debian[0]
    sources = dict.fromkeys((row[2], row[1]) for row in main if row[1].startswith(f"{suite}-"))
    wanted = ((uri, suite), *(pair for pair in sources if "backports" not in pair[1]))
    return Mirror(suite, uri, wanted, _signed_by(entry))


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

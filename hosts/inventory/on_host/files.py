"""Files on a host: those of the inventory, those of packages, those that neither has placed; privileges."""

from __future__ import annotations

import glob
import grp
import hashlib
import os
import pwd
import re
import stat
import subprocess
from typing import Any

WANTED: dict[str, Any] = {}
"""Paths, units, kernel settings and packages that the inventory names; `look.py` fills it in."""

OTHER_FILE_SYSTEMS = re.compile(
    r"proc|sysfs|cgroup2?|devpts|mqueue|debugfs|tracefs|securityfs|pstore|bpf|fusectl|configfs|hugetlbfs|efivarfs"
    r"|binfmt_misc|autofs|rpc_pipefs|nsfs"
)
"""File systems without files of a person."""
WATCHED = (
    *("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"),
    *("/var/spool/cron", "/var/spool/at", "/etc/systemd", "/usr/local/lib/systemd", "/run/systemd/transient"),
    *(
        "/run/systemd/system",
        "/run/systemd/system.control",
        "/usr/lib/systemd",
        "/run/systemd/journald.conf.d",
    ),
    *(
        "/var/lib/systemd/linger",
        "/etc/init.d",
        "/etc/rc.local",
        "/etc/profile.d",
        "/etc/ld.so.preload",
        "/etc/ld.so.conf.d",
    ),
    *("/etc/update-motd.d", "/etc/pam.d", "/etc/security", "/etc/udev/rules.d", "/run/udev/rules.d"),
    *("/etc/modules-load.d", "/etc/modprobe.d", "/etc/network/if-up.d", "/etc/networkd-dispatcher"),
    *("/etc/apt/apt.conf.d", "/etc/apt/preferences.d", "/etc/apt/trusted.gpg.d", "/etc/apt/sources.list.d"),
    *("/etc/logrotate.d", "/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d", "/etc/polkit-1"),
    *("/etc/dbus-1/system.d", "/etc/sudoers.d", "/etc/ssh/sshd_config.d", "/etc/ssh/sshrc"),
    *("/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/usr/local/share/ca-certificates"),
    *("/etc/slipway", "/etc/haproxy", "/etc/redis", "/etc/pgbouncer", "/etc/nftables.d"),
)
"""Folders and files in which everything must belong, on any machine."""
SETTINGS = "/etc"
"""The rest of it is as set-up and packages left it only where no provider's image has brought more."""
PROGRAMS = re.compile(r"/(usr/)?s?bin/|/usr/lib/|/lib")
PROGRAM_FOLDERS = (
    *("/usr/bin", "/usr/sbin", "/usr/games", "/usr/libexec", "/usr/lib", "/usr/lib32", "/usr/lib64"),
    *("/usr/share/keyrings", "/usr/share/ca-certificates", "/usr/share/dbus-1", "/usr/share/polkit-1"),
    *("/usr/share/perl5", "/usr/share/python3", "/etc/alternatives"),
)
"""Folders of packages' programs, libraries and keys: nothing else belongs there."""
OWN_FILES = (
    *(".ssh/rc", ".ssh/environment", ".pam_environment", ".config/systemd/user", ".config/autostart"),
    *(".profile", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".inputrc"),
    *(".zshenv", ".zprofile", ".zshrc", ".zlogin", ".kshrc", ".config/fish", ".local/bin", ".local/lib"),
    *(".gitconfig", ".config/git", ".curlrc", ".wgetrc", ".netrc", ".npmrc", ".bunfig.toml", ".config/pip"),
    *(".psqlrc", ".redisclirc", ".vimrc", ".exrc", ".nanorc", ".lessfilter", ".tmux.conf", ".screenrc"),
)
"""Files in a home that programs read, or run, by themselves."""
WITH_TEXT = re.compile(
    r"\.(service|timer|socket|path|conf|list|sources)$|/pam\.d/|^/etc/postgresql/.*/environment$"
)
"""Files that may be there, with a certain content only."""
AS_SHIPPED = ("/etc/skel/", "/usr/share/base-files/dot")
"""Where Debian keeps what a new home begins with."""
KEY_FOLDERS = ("/etc/ssh", "/etc/ssl/private", "/etc/haproxy", "/etc/slipway")


def run(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False).stdout
    except OSError:
        return ""


def read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def entry(path: str) -> dict[str, str] | None:
    """Kind, mode, owner, group and SHA-256 of a path; a link's target. None: it is not there."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    known = {
        "kind": kind.get(stat.S_IFMT(found.st_mode), "other"),
        "mode": format(stat.S_IMODE(found.st_mode), "o"),
        "user": name_of(pwd.getpwuid, found.st_uid),
        "group": name_of(grp.getgrgid, found.st_gid),
    }
    if known["kind"] == "file":
        known["sha256"] = digest(path)
    elif known["kind"] == "link":
        known["target"] = os.readlink(path)
    return known


def name_of(find: Any, number: int) -> str:
    try:
        return find(number)[0]
    except KeyError:
        return str(number)


# Debian's packages: which files are theirs, and which of these were changed.


def packages() -> tuple[set[str], list[str]]:
    """Every path that a package owns, and those of them that are not as the package brought them."""
    owned: set[str] = set()
    changed: list[str] = []
    folder = "/var/lib/dpkg/info"
    diverted = {path for path in read("/var/lib/dpkg/diversions").splitlines() if path.startswith("/")}
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if not name.endswith(".list"):
            continue
        listed = read(f"{folder}/{name}").splitlines()
        owned.update(listed)
        installed = os.stat(f"{folder}/{name}").st_ctime + 120
        late = {
            path
            for path in listed
            if PROGRAMS.match(path) and path not in diverted and touched(path, installed)
        }
        if late:
            sums = read(f"{folder}/{name[:-5]}.md5sums").splitlines()
            wanted = {"/" + path: md5 for md5, _, path in (line.partition("  ") for line in sums)}
            changed += [path for path in late if path in wanted and md5_of(path) != wanted[path]]
    owned.update([f"/usr{path}" for path in owned if re.match(r"/(s?bin|lib\w*)/", path)])
    return owned, sorted([*changed, *changed_settings()])


def touched(path: str, since: float) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_ctime > since


def md5_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
    except OSError:
        return "gone"


def changed_settings() -> list[str]:
    """Settings files of packages that differ from the package's."""
    found = re.findall(r"^ (/\S+) ([0-9a-f]{32})$", read("/var/lib/dpkg/status"), re.MULTILINE)
    known = set(WANTED["known"])
    return [
        path
        for path, md5 in found
        if path.startswith("/etc/") and path not in known and os.path.exists(path) and md5_of(path) != md5
    ]


def foreign(owned: set[str]) -> dict[str, dict[str, str] | None]:
    """What lies in watched places and neither a package nor the inventory has put there."""
    known = owned | set(WANTED["known"])
    found: dict[str, dict[str, str] | None] = {}
    own = [f"{home}/{name}" for home in homes() for name in OWN_FILES]
    paths = {path for place in (*WATCHED, SETTINGS, *PROGRAM_FOLDERS, *own) for path in below(place)}
    for path in paths - known:
        if path.endswith(".pyc") or (os.path.islink(path) and os.path.realpath(path) in known):
            continue
        if path in own and is_as_shipped(path):
            continue
        found[path] = entry(path)
        if found[path] and WITH_TEXT.search(path):
            (found[path] or {})["text"] = read(path)[:4000]
    return found


def is_as_shipped(path: str) -> bool:
    name = os.path.basename(path)
    places = (f"{AS_SHIPPED[0]}{name}", f"{AS_SHIPPED[1]}{name}")
    return not os.path.islink(path) and digest(path) in [digest(place) for place in places if digest(place)]


def below(place: str) -> list[str]:
    if not os.path.isdir(place) or os.path.islink(place):
        return [place] if os.path.lexists(place) and not os.path.isdir(place) else []
    return [
        f"{folder}/{name}"
        for folder, folders, names in os.walk(place)
        for name in (*names, *links(folder, folders))
    ]


def links(folder: str, folders: list[str]) -> list[str]:
    return [name for name in folders if os.path.islink(f"{folder}/{name}")]


def homes() -> set[str]:
    return {each.pw_dir for each in pwd.getpwall() if each.pw_dir not in ("/", "/nonexistent", "")} | set(
        glob.glob("/home/*")
    )


# Every file of the host's own disks: privileges, and who may write.


def walk(owned: set[str]) -> dict[str, object]:
    privileged: dict[str, str] = {}
    loose: list[str] = []
    skipped = {mount["at"] for mount in mounts() if OTHER_FILE_SYSTEMS.fullmatch(mount["type"])}
    shared = re.compile(r"/(proc|sys|dev|tmp|run|var/tmp|var/lib/docker|var/lib/containerd)(/|$)")
    waiting = ["/"]
    while waiting:
        folder = waiting.pop()
        try:
            inside = list(os.scandir(folder))
        except OSError:
            continue
        for each in inside:
            try:
                found = each.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(found.st_mode):
                if each.path not in skipped and not re.fullmatch(r"/(proc|sys)", each.path):
                    waiting.append(each.path)
                may_write = found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX
            elif stat.S_ISREG(found.st_mode):
                special = capabilities(each.path) if found.st_mode & 0o111 else ""
                if found.st_mode & 0o4000:
                    special = f"{special} SUID {name_of(pwd.getpwuid, found.st_uid)}".strip()
                if found.st_mode & 0o2000 and found.st_mode & 0o010:
                    special = f"{special} SGID {name_of(grp.getgrgid, found.st_gid)}".strip()
                if special:
                    privileged[each.path] = special if each.path in owned else f"{special}, of no package"
                may_write = found.st_mode & 0o002
            else:
                continue
            if may_write and not shared.match(each.path):
                loose.append(each.path)
    return {"privileged": privileged, "loose": sorted(loose)}


def capabilities(path: str) -> str:
    try:
        raw = os.getxattr(path, "security.capability", follow_symlinks=False)
    except OSError:
        return ""
    return f"capabilities {int.from_bytes(raw[4:8], 'little') | int.from_bytes(raw[12:16], 'little') << 32:x}"


def mounts() -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for line in read("/proc/self/mountinfo").splitlines():
        words = line.split()
        dash = words.index("-")
        found.append({"root": words[3], "at": words[4], "type": words[dash + 1], "from": words[dash + 2]})
    return found

"""Who can get to a host and on it: accounts, keys, sudo, ports, packet filter, authorities, mounts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hosts.agent.accounts import FIRST, LAST
from hosts.agent.preview_record import FIRST_PORT, MOST, PreviewPaths
from hosts.inventory.parts import FOREIGN, Deviation, Inventory

NO_SHELL = re.compile(r".*/(nologin|false|sync|halt|shutdown)$")
SHELLS = {"root", "postgres"}
"""Accounts with a shell that Debian's packages make; none has a password or a key by itself."""
GROUPS = ("root", "sudo", "admin", "wheel", "docker", "lxd", "disk", "shadow", "kmem")
"""Groups whose members are root, or can become it."""
SERVICE_GROUPS = re.compile(r"app-.+|slipway.*|haproxy|redis|stunnel4|postgres|pgbouncer|versitygw|ssl-cert")
"""Groups that read a service's files; set-up puts no one into any."""
BY_DEBIAN = {("ssl-cert", "postgres"), ("stunnel4", "stunnel4")}
"""Group and member that Debian's packages make."""
SUDOERS = re.compile(
    r"Defaults\b(?!.*(!authenticate|!requiretty|env_keep.*LD_|setenv)).*|root ALL=\(ALL(:ALL)?\) ALL"
    r"|%(sudo|admin) ALL=\(ALL(:ALL)?\) ALL|[@#]includedir /etc/sudoers\.d"
)
"""Debian's and Ubuntu's own rules."""
SSHD = {
    "passwordauthentication": ("no",),
    "kbdinteractiveauthentication": ("no",),
    "permitemptypasswords": ("no",),
    "hostbasedauthentication": ("no",),
    "gssapiauthentication": ("no",),
    "kerberosauthentication": ("no",),
    "permitrootlogin": ("no", "without-password", "prohibit-password"),
    "permituserenvironment": ("no",),
    "permituserrc": ("yes", "no"),
    "x11forwarding": ("no",),
    "allowagentforwarding": ("no",),
    "gatewayports": ("no",),
    "permittunnel": ("no",),
    "strictmodes": ("yes",),
    "authorizedkeyscommand": ("none",),
    "authorizedprincipalscommand": ("none",),
    "authorizedprincipalsfile": ("none",),
    "trustedusercakeys": ("none",),
    "authorizedkeysfile": ("/etc/slipway/keys/%u .ssh/authorized_keys",),
    "forcecommand": ("none",),
    "pubkeyauthentication": ("yes",),
    "loglevel": ("INFO", "VERBOSE"),
}
"""What `sshd -T` may say for a root login from elsewhere."""
KEY_READER = "/usr/local/lib/slipway/instance-connect-keys"
RESOLVER = "127.0.0.11"
PREVIEW_PORTS = {str(FIRST_PORT + number) for number in range(10 * MOST)}
"""Where the processes and services of previews listen, on the host that carries them."""
UDP = {"68", "546"}
"""DHCP clients."""
DISKS = re.compile(r"ext[234]|xfs|btrfs|zfs|vfat|f2fs|squashfs|swap")
API = re.compile(
    r"proc|sysfs|cgroup2?|devpts|mqueue|debugfs|tracefs|securityfs|pstore|bpf|fusectl|configfs|hugetlbfs|efivarfs"
    r"|devtmpfs|binfmt_misc|autofs|nsfs|rpc_pipefs|ramfs"
)
PLACES = re.compile(r"/(dev|sys|run|tmp|proc/sys/fs/binfmt_misc|boot)(/.*)?|/snap/.*")
CONTAINER = re.compile(
    r"/|/etc/(resolv\.conf|hostname|hosts)|/proc/(acpi|asound|bus|fs|irq|sys|sysrq-trigger|kcore|keys|latency_stats|timer_list"
    r"|timer_stats|sched_debug|scsi|interrupts)|/sys/.*|/dev/.*"
)
"""What a container runtime mounts over its own files."""


def accounts(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    """Accounts that do not belong, or may do more than they should."""
    here, own = inventory.host, inventory.ssh_user
    users: Mapping[str, Any] = facts["users"]
    for name, user in users.items():
        if user["uid"] == 0 and name != "root":
            yield Deviation(here, "account", name, FOREIGN, "has root's user id")
        elif not NO_SHELL.match(user["shell"]) and name not in SHELLS | {own, *inventory.users}:
            yield Deviation(here, "account", name, FOREIGN, f"may sign in: its shell is {user['shell']}")
        elif name in inventory.users and not NO_SHELL.match(user["shell"]) and name != own:
            yield Deviation(here, "account", name, "no shell", f"its shell is {user['shell']}")
    for name in facts["passwords"]:
        yield Deviation(here, "account", name, "no password", "has a password: only keys may open it")
    for name in facts["empty"]:
        yield Deviation(here, "account", name, "locked", "has an empty password")
    for name in sorted(set(inventory.users) - users.keys()):
        yield Deviation(here, "account", name, "there", "missing", repaired=True)
    for group, name in _memberships(facts["groups"], own):
        yield Deviation(here, "account", name, FOREIGN, f"is in group {group}")


def _memberships(groups: Mapping[str, list[str]], own: str) -> Iterator[tuple[str, str]]:
    for group, members in groups.items():
        for name in members:
            if group in GROUPS and name not in ("root", own):
                yield group, name
            if SERVICE_GROUPS.fullmatch(group) and (group, name) not in BY_DEBIAN:
                yield group, name


def signing_in(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    """Keys, sshd's settings and sudo's rules that do not belong."""
    here, own = inventory.host, inventory.ssh_user
    home = facts["users"].get(own, {}).get("home", f"/home/{own}")
    for path, prints in facts["keys"].items():
        mine = path.startswith(f"{home}/.ssh/authorized_keys")
        for each in prints:
            if each in inventory.granted.get(path, ()):
                continue
            if not mine or (inventory.operator_keys is not None and each not in inventory.operator_keys):
                yield Deviation(here, "key", path, FOREIGN, each)
    for key, allowed in SSHD.items():
        now = facts["sshd"].get(key)
        fits = (
            key == "authorizedkeyscommand"
            and KEY_READER in inventory.files
            and (now or "").startswith(KEY_READER)
        )
        if now is not None and now not in allowed and not fits:
            yield Deviation(here, "ssh", key, allowed[0], now)
    for path, rules in facts["sudo"].items():
        for rule in rules:
            subject = rule.split()[0]
            if not SUDOERS.fullmatch(rule) and subject != own and path not in inventory.files:
                yield Deviation(here, "sudo", path, FOREIGN, rule[:100])


def network(inventory: Inventory, facts: Mapping[str, Any]) -> Iterator[Deviation]:
    """Ports, packet filter, authorities and mounts that do not belong."""
    here = inventory.host
    allowed = {str(port) for port in (*inventory.ports, *inventory.ssh_ports)}
    app = {str(port) for port in inventory.app_ports}
    for protocol, address, port, program, uid in facts["listening"]:
        if address == "::1" or address.startswith(("127.", "::ffff:127.")):
            # A rented machine has services of its owner's on loopback; Docker's resolver takes any port.
            known = {*allowed, *app, *map(str, inventory.loopback_ports)}
            known |= PREVIEW_PORTS if PreviewPaths().sites_map in inventory.files else set()
            strange = inventory.image_is_known and address != RESOLVER and port not in known
            if strange and not FIRST <= int(uid) <= LAST:
                yield Deviation(
                    here, "port", f"{protocol} {address}:{port}", FOREIGN, program and f"by {program}"
                )
            continue
        if protocol == "tcp" and port in app and FIRST <= int(uid) <= LAST:
            continue
        if port not in (allowed if protocol == "tcp" else UDP):
            yield Deviation(here, "port", f"{protocol} {port}", FOREIGN, program and f"by {program}")
    if not facts["firewall"] or facts["firewall"] != facts["firewall_file"]:
        before, now = set(_lines(facts["firewall_file"])), set(_lines(facts["firewall"]))
        differs = [*(f"has `{line}`" for line in now - before), *(f"lacks `{line}`" for line in before - now)]
        said = "is not loaded" if not facts["firewall"] else "; ".join(sorted(differs)[:3]) or "other order"
        files = tuple(path for path in inventory.files if path.endswith("firewall.nft"))
        yield Deviation(here, "firewall", "inet slipway", "as its file", said, repaired=True, files=files)
    for name, text in facts["tables"].items():
        strange = [line for line in _lines(text) if "127.0.0.11" not in line]
        if strange:
            yield Deviation(here, "firewall", f"table {name}", FOREIGN, f"`{strange[0]}`")
    for each in facts["authorities"]:
        if each not in inventory.authorities:
            yield Deviation(
                here, "authority", f"authority {each[:16]}", FOREIGN, "trusted for every TLS connection"
            )
    for mount in facts["mounts"]:
        if not _belongs(mount, inventory, bool(facts["container"])):
            yield Deviation(
                here, "mount", mount["at"], FOREIGN, f"{mount['type']} from {mount['from']}{mount['root']}"
            )


def _lines(ruleset: str) -> list[str]:
    """The rules and the hooks of a listed table, without its frame."""
    lines = (line.strip() for line in ruleset.splitlines())
    return [line for line in lines if line and not re.match(r"table |chain |type nat |\}|#", line)]


def _belongs(mount: Mapping[str, str], inventory: Inventory, container: bool) -> bool:
    at = mount["at"]
    if container and (CONTAINER.fullmatch(at) or at in inventory.mounts):
        return True
    if API.fullmatch(mount["type"]) or (mount["type"] == "tmpfs" and PLACES.fullmatch(at)):
        return not re.match(r"/(etc|usr|s?bin|lib|root|home|srv)(/|$)", at)
    return bool(DISKS.fullmatch(mount["type"])) and mount["root"] == "/"

"""Ports, mounts, packet filter and authorities of a host; where it looks names up; its routes."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import socket

from hosts.inventory.on_host.files import digest, mounts, read, run


def network() -> dict[str, object]:
    listening: list[list[str]] = []
    for line in run("ss", "-Hlntupe").splitlines():
        words = line.split()
        if len(words) >= 5 and words[0] in ("tcp", "udp"):
            address, _, port = words[4].rpartition(":")
            user = re.search(r'\("([^"]+)"', line)
            uid = re.search(r"\buid:(\d+)", line)
            by = [user[1] if user else "", uid[1] if uid else "0"]
            listening.append([words[0], address.partition("%")[0].strip("[]"), port, *by])
    tables = [line.removeprefix("table ").strip() for line in run("nft", "list", "tables").splitlines()]
    rules = "/etc/slipway/firewall.nft"
    alone = ("unshare", "--net", "sh", "-c", f"nft -f {rules} && nft -s list table inet slipway")
    return {
        "listening": listening,
        "firewall": run("nft", "-s", "list", "table", "inet", "slipway"),
        "firewall_file": run(*alone),
        "tables": {
            name: run("nft", "-s", "list", "table", *name.split())
            for name in tables
            if name != "inet slipway"
        },
        "mounts": mounts(),
        "authorities": authorities(),
        **ways(),
    }


def ways() -> dict[str, object]:
    """Where names are looked up, and which way packets take."""
    kinds = ("route", "show", "table", "all")
    return {
        "hostname": socket.gethostname(),
        "time_zone": os.path.realpath("/etc/localtime").rpartition("/")[2],
        "lookups": {path: read(path)[:20_000] for path in LOOKUPS},
        "routes": [*asked("ip", "-j", *kinds), *asked("ip", "-j", "-6", *kinds)],
        "rules": [*asked("ip", "-j", "rule"), *asked("ip", "-j", "-6", "rule")],
        "neighbours": asked("ip", "-j", "neigh", "show", "nud", "permanent"),
        "links": asked("ip", "-j", "-d", "link"),
        "queues": asked("tc", "-j", "qdisc"),
        "profile": digest("/etc/profile") == digest("/usr/share/base-files/profile"),
    }


LOOKUPS = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/fstab")


def asked(*argv: str) -> list[dict[str, object]]:
    """The JSON answer of a program of iproute2; nothing where it knows no such thing."""
    try:
        return [each for each in json.loads(run(*argv) or "[]") if each]
    except ValueError:
        return []


def authorities() -> list[str]:
    """Digests of the trusted authorities that Debian does not bring."""
    bodies = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END")
    known: dict[str, str] = {}
    for path in glob.glob("/usr/share/ca-certificates/**/*.crt", recursive=True):
        known.update({"".join(body.split()): path for body in bodies.findall(read(path))})
    found = {"".join(body.split()) for body in bodies.findall(read("/etc/ssl/certs/ca-certificates.crt"))}
    for path in {os.path.realpath(path) for path in glob.glob("/etc/ssl/certs/*")}:
        # The snake oil certificate is its package's, and signs nothing.
        if not path.startswith("/usr/share/ca-certificates/") and not path.endswith("/ssl-cert-snakeoil.pem"):
            found |= {"".join(body.split()) for body in bodies.findall(read(path))}
    return sorted(hashlib.sha256(body.encode()).hexdigest() for body in found - set(known))

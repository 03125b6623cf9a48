"""Redis for queues, cache and rate limits: a password, a journal on disk, and nothing is ever evicted."""

from __future__ import annotations

import hashlib

from hosts.effect import Effect, Placed, running, take_up
from hosts.file import HostFile
from hosts.plan import FleetPlan
from hosts.render import render, verbatim
from slipway.settings.outputs import Host

PACKAGES = ("redis-server",)

CONFIG = "/etc/redis/redis.conf"
USERS = "/etc/redis/users.acl"
UNIT = "/etc/systemd/system/redis-server.service.d/slipway.conf"
FIT = "/usr/local/lib/slipway/redis-fit"

COMMANDS = "+@all -@admin -@dangerous +info +client +keys +sort +role +config|get +flushdb"
"""What the app may do: all that BullMQ asks of a server, but not stop, reconfigure or empty all of it."""


def wanted(plan: FleetPlan) -> bool:
    """Does the stack keep its Redis on the fleet's own data host?"""
    return plan.stack.redis and plan.outputs.redis is not None


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """Settings and the one user. The file holds the password's digest, as Redis allows."""
    if not wanted(plan):
        return []
    digest = hashlib.sha256(plan.secret("PLATFORM_REDIS_PASSWORD").encode()).hexdigest()
    users = f"user default on sanitize-payload #{digest} ~* &* {COMMANDS}\n"
    return [
        HostFile(UNIT, verbatim("systemd/redis.conf")),
        HostFile(FIT, verbatim("data/redis_fit.sh"), "0755"),
        HostFile(USERS, users, "0640", "root", "redis"),
        HostFile(
            CONFIG, render("data/redis.conf.j2", address=host.address, users=USERS), "0640", "root", "redis"
        ),
    ]


def effects(plan: FleetPlan, _host: Host, placed: Placed) -> list[Effect]:
    """Serve it. A restart writes the journal out first and reads it again."""
    if not wanted(plan):
        return []
    mine = [placed[path] for path in (UNIT, FIT, USERS, CONFIG)]
    return [take_up("redis restart", mine, FIT), running("redis-server.service")]

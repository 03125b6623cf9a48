"""Redis for queues, cache and rate limits: a password, a journal on disk, and nothing is ever evicted."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import hashlib

from pyinfra.operations import files, systemd

from hosts.operations import install, on_change
from hosts.plan import FleetPlan
from hosts.render import JINJA, template
from hosts.units import drop_in
from slipway.settings import Host

PACKAGES = ("redis-server",)

CONFIG = "/etc/redis/redis.conf"
USERS = "/etc/redis/users.acl"
FIT = "/usr/local/lib/slipway/redis-fit"
MEMORY = "/etc/redis/memory.conf"
IN_CONTAINER = "/etc/systemd/system/redis-server.service.d/container.conf"
"""What FIT writes; the second one in a container only."""

COMMANDS = "+@all -@admin -@dangerous +info +client +keys +sort +role +config|get +flushdb +acl|list"
"""What the app may do: all that BullMQ needs of a server, but not stop, reconfigure or empty all of it.

`acl|list` is for the checks: it shows who else has an account, and changes nothing.
"""


def wanted(plan: FleetPlan) -> bool:
    """Does the stack keep its Redis on the fleet's own data host?"""
    return plan.stack.redis and plan.outputs.redis is not None


def deploy(plan: FleetPlan, host: Host) -> None:
    """A restart writes the journal out first and reads it again."""
    if not wanted(plan):
        return
    settings = drop_in("redis-server.service", "redis.conf")
    files.put(name=FIT, src=template("data/redis_fit.sh"), dest=FIT, mode="755")
    install(name=USERS, src=users_acl(plan), dest=USERS, group="redis", mode="640")
    files.template(
        name=CONFIG,
        src=template("data/redis.conf.j2"),
        dest=CONFIG,
        mode="640",
        user="root",
        group="redis",
        jinja_env_kwargs=JINJA,
        address=host.address,
        users=USERS,
    )
    on_change(name="redis restart", files=[settings, FIT, USERS, CONFIG], command=FIT)
    systemd.service(name="redis", service="redis-server.service", running=True, enabled=True)


def users_acl(plan: FleetPlan) -> str:
    """The one user, with its password's digest, as Redis allows."""
    digest = hashlib.sha256(plan.secret("PLATFORM_REDIS_PASSWORD").encode()).hexdigest()
    return f"user default on sanitize-payload #{digest} ~* &* {COMMANDS}\n"

"""What a kit says: packages, users, folders, files and effects of a role, as data for the runner."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from hosts import aws, base, web
from hosts import deploy as roles
from hosts.effect import Effect, TakeUp
from hosts.file import HostFile
from hosts.plan import FleetPlan
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Host, Role

KIT_ROLES: tuple[Role, ...] = ("web", "worker")
NOLOGIN = "/usr/sbin/nologin"


def contents(plan: FleetPlan, role: Role) -> dict[str, Any]:
    """Pure: the same plan gives the same contents. BadInput: no kit is made of such a role."""
    if role not in KIT_ROLES or not plan.aws:
        raise BadInput(f"a set-up kit is for web and worker hosts on AWS, not for role {role}")
    host = any_host(role)
    return {
        "schema": 1,
        "role": role,
        "packages": roles.packages(plan, host),
        "users": [
            {"name": base.APP_USER, "shell": NOLOGIN, "home": ""},
            {"name": aws.KEY_READER, "shell": NOLOGIN, "home": ""},
            {"name": aws.OPERATOR, "shell": "/bin/bash", "home": f"/home/{aws.OPERATOR}"},
        ],
        "folders": [asdict(folder) for folder in base.FOLDERS],
        "host": json.loads(base.host_json(plan, host)),
        "seeds": [_file(file) for file in (web.seeds(plan) if role == "web" else [])],
        "files": [_file(file) for file in roles.files(plan, host)],
        "effects": [_effect(effect) for effect in roles.effects(plan, host)],
    }


def any_host(role: Role) -> Host:
    """A host of `role` without a name, address or key: nothing in a kit depends on them."""
    return Host(name=role, role=role, address="", ssh_host="")


def _file(file: HostFile) -> dict[str, str | int]:
    """As the runner takes it: with the state by which it knows what is there already."""
    return {**file.placed, "state": file.state}


def _effect(effect: Effect) -> dict[str, Any]:
    if isinstance(effect, TakeUp):
        return {"take_up": effect.kept_as, "digest": effect.digest, "command": effect.command}
    return asdict(effect)

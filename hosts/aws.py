"""A host on AWS: it follows the stack without an operator, and is reached through Systems Manager alone."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json

from pyinfra.operations import files, server, systemd

from hosts.base import HOST_JSON, LIB
from hosts.operations import install, on_change
from hosts.plan import FleetPlan
from hosts.render import JINJA, template, verbatim
from hosts.units import UNITS, unit
from slipway.settings import Host

PACKAGES = ("gpgv", "openssl", "postgresql-client")
OPERATOR = "admin"
"""Debian's own images have this user."""
KEY_READER = "slipway-keys"
"""The user that looks up the operators' ssh keys; it does nothing else."""

SSHD = "/etc/ssh/sshd_config.d/11-slipway-aws.conf"
KEYS = f"{LIB}/instance-connect-keys"
INSTALL_SSM = f"{LIB}/install-ssm-agent"
SSM_VERSION = "3.3.4624.0"
"""Version of amazon-ssm-agent, for amd64 and arm64: AWS's own images for ECS have it since 2026-06-24
(https://github.com/aws/amazon-ecs-ami, variables.pkr.hcl)."""
SSM_KEYS = {
    "1C5B395CBE5E74E2F1CA21592784DBF388D19D46": "2027-11-25",
    "4855A9E6833216D6A77D8FE451A8E050D0052E5D": "2026-07-15",
}
"""Fingerprints of AWS's signing keys in templates/aws/ssm_agent_keys.asc, and when each ends; what a key
signed before stays good. They are those of https://github.com/aws/amazon-ecs-ami, files/amazon-ssm-agent.gpg.

AWS publishes signatures of the package and no digests. A signature and one version bind as a digest does: who
changes a byte of it lacks AWS's key, and an older package that AWS signed has another version."""
ENDPOINTS = "/etc/slipway/endpoints.json"


def deploy(plan: FleetPlan, host: Host) -> None:
    """Operators' access through Systems Manager; timers (boot document, drain, measure); services."""
    del host  # every role has the same
    _users()
    if plan.instance and plan.instance.endpoints:
        endpoints = json.dumps({"endpoints": dict(plan.instance.endpoints)}, indent=1)
        install(name=ENDPOINTS, src=endpoints, dest=ENDPOINTS)
    _operator_access()
    _session_agent(plan)
    timers = ("converge", "leave", "measure")
    unit(*(f"slipway-{name}.{kind}" for name in timers for kind in ("service", "timer")))
    for name in timers:
        timer = f"slipway-{name}.timer"
        systemd.service(name=timer, service=timer, running=True, enabled=True)
    # The journal goes to CloudWatch Logs by the agent: Debian has no package that could send it.
    _service("forward")
    _service("credentials")


def _service(name: str) -> None:
    """A service of the agent, which starts again when the agent or what it knows of the host has changed."""
    service = f"slipway-{name}.service"
    unit(service)
    systemd.service(name=service, service=service, running=True, enabled=True)
    on_change(
        name=f"{name} restart",
        files=[f"{LIB}/agent.tar", HOST_JSON, f"{UNITS}/{service}"],
        command=f"systemctl restart {service}",
    )


def _users() -> None:
    server.user(  # noqa: S604 - `shell` is the login shell
        name=f"user {KEY_READER}",
        user=KEY_READER,
        system=True,
        shell="/usr/sbin/nologin",
        home="/nonexistent",
        create_home=False,
        ensure_home=False,
    )
    server.user(name=f"user {OPERATOR}", user=OPERATOR, shell="/bin/bash", home=f"/home/{OPERATOR}")  # noqa: S604
    install(
        name="sudo for the operator",
        src=f"{OPERATOR} ALL=(ALL) NOPASSWD:ALL\n",
        dest="/etc/sudoers.d/slipway-operator",
        mode="440",
        validate="visudo -cqf {}",
    )


def _operator_access() -> None:
    """No key lies on the host: sshd asks for those that EC2 Instance Connect vouches for."""
    files.put(name=KEYS, src=template("aws/instance_connect_keys.py"), dest=KEYS, mode="755")
    files.template(
        name=SSHD,
        src=template("aws/sshd.conf.j2"),
        dest=SSHD,
        mode="644",
        jinja_env_kwargs=JINJA,
        command=KEYS,
        reader=KEY_READER,
    )
    on_change(name="operator keys", files=[SSHD, KEYS], command="sshd -t && systemctl reload-or-restart ssh")


def _session_agent(plan: FleetPlan) -> None:
    files.template(
        name=INSTALL_SSM,
        src=template("aws/install_ssm_agent.py.j2"),
        dest=INSTALL_SSM,
        mode="755",
        jinja_env_kwargs=JINJA,
        version=SSM_VERSION,
        keys=verbatim("aws/ssm_agent_keys.asc"),
        region=plan.outputs.cloud.region if plan.outputs.cloud else plan.outputs.builds.region,
    )
    on_change(name="session agent", files=[INSTALL_SSM], command=INSTALL_SSM)

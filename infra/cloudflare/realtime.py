"""The app's real-time router as a Worker with a Durable Object, at `rt.<domain>` (I14)."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_cloudflare as cloudflare

from infra import RECORDED
from slipway.settings import App, BadInput, Stack, reaches
from slipway.settings.aws import WORKER_BUILD, WORKER_SCRIPT, Cloudflare

SCRIPT = Path(WORKER_SCRIPT)
"""The built script, one module, in the app's folder."""
PLACEHOLDER = "export default {} // not built yet: `slipway up` builds it\n"
"""The script in a recorded graph if the Worker is not built: a picture, a price and a check need no build."""
CLASS, BINDING = "Board", "BOARD"
"""Binding with which the script reaches its Durable Object class."""
CONNECTIONS = "MAX_CONNECTIONS"
COMPATIBLE_WITH = "2025-09-01"
_FIRST = "v1"


@dataclass(frozen=True)
class RealtimeArgs:
    """The script, its domain and its settings."""

    settings: Cloudflare
    fleet: str
    domain: str
    app_dir: Path
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Plain variables of the script; no secrets."""


class Realtime(pulumi.ComponentResource):
    """The Worker, its Durable Object, and a custom domain with its own certificate as the only name.

    The Worker's secrets are set outside of Pulumi (`wrangler secret put`), which keeps them. Cloudflare
    accepts the migration that creates the object's class only once (pulumi-cloudflare#1215): after that,
    `worker_migrated` must be true.
    """

    host: str
    script: pulumi.Output[str]

    def __init__(self, name: str, args: RealtimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Realtime", name, None, opts)
        settings, code = args.settings, built_script(args.app_dir)
        child = pulumi.ResourceOptions(parent=self)
        script = cloudflare.WorkersScript(
            f"{name}-script",
            account_id=settings.account,
            script_name=f"{args.fleet}-rt",
            main_module=SCRIPT.name,
            content=code,
            content_sha256=hashlib.sha256(code.encode()).hexdigest(),
            compatibility_date=COMPATIBLE_WITH,
            compatibility_flags=["nodejs_compat"],
            bindings=[
                cloudflare.WorkersScriptBindingArgs(
                    name=BINDING, type="durable_object_namespace", class_name=CLASS
                ),
                *_bindings({**args.variables, CONNECTIONS: str(settings.worker_connections)}),
            ],
            keep_bindings=["secret_text"],
            migrations=None
            if settings.worker_migrated
            else cloudflare.WorkersScriptMigrationsArgs(new_tag=_FIRST, new_sqlite_classes=[CLASS]),
            observability=cloudflare.WorkersScriptObservabilityArgs(enabled=True, head_sampling_rate=1),
            opts=child,
        )
        self.host = f"rt.{args.domain}"
        cloudflare.WorkersScriptSubdomain(
            f"{name}-only-by-name",
            account_id=settings.account,
            script_name=script.script_name,
            enabled=False,
            previews_enabled=False,
            opts=child,
        )
        cloudflare.WorkersCustomDomain(
            f"{name}-domain",
            account_id=settings.account,
            zone_id=settings.zone,
            hostname=self.host,
            service=script.script_name,
            opts=child,
        )
        self.script = script.script_name
        self.register_outputs({"host": self.host, "script": self.script})


def _bindings(variables: Mapping[str, str]) -> list[cloudflare.WorkersScriptBindingArgs]:
    return [
        cloudflare.WorkersScriptBindingArgs(name=name, type="plain_text", text=text)
        for name, text in sorted(variables.items())
    ]


def built_script(app_dir: Path) -> str:
    """The Worker's code. Raises BadInput if it is not built and the program is not only recorded."""
    path = app_dir / SCRIPT
    if not path.is_file() and os.environ.get(RECORDED):
        return PLACEHOLDER
    if not path.is_file():
        raise BadInput(
            f"slipway:cloudflare.worker is on, and the Worker is not built: there is no {path}",
            remedy=f"`slipway up` builds it; by hand: cd {app_dir} && {WORKER_BUILD}; "
            "or turn slipway:cloudflare.worker off",
        )
    return path.read_text(encoding="utf-8")


def worker_variables(app: App, stack: Stack) -> dict[str, str]:
    """The plain entries of `[env]` for process `web`, with this stack's overrides, and PUBLIC_URL.

    A limit that changes for the app thus changes for the Worker. Secrets, and values from the stack outputs
    (URLs with passwords), are left out: the Worker's secrets are set outside of Pulumi.
    """
    given = {
        name: stack.env.get(name, var.value)
        for name, var in app.env.items()
        if not var.secret and var.source is None and reaches(var, "web")
    }
    return {name: value for name, value in given.items() if value} | {"PUBLIC_URL": f"https://{stack.domain}"}

"""Stage: every host fetches the layers it lacks, verifies them, and lays the build in its idle slot."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hosts.agent.signature import ENV, env_digest, env_statement
from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Staged
from slipway.release.rollout import Phase, Rollout, Shipment, SignedEnv
from slipway.settings import App, Role

WORTH_REPORTING_SECONDS = 0.5
SCOPES_BESIDE_PROCESSES = ("task", "cron")


@dataclass(frozen=True)
class Slots:
    """The idle slots, laid out on all hosts."""

    bytes: int
    """Fetched by all hosts together."""
    drained_seconds: float
    """The longest wait for clients and jobs of an older release to leave a slot."""


@dataclass(frozen=True)
class Stage(Phase[Slots]):
    """No user notices: the idle slot takes no traffic."""

    name = "stage"
    undoing = "stage"

    shipment: Shipment

    def run(self, rollout: Rollout) -> Slots:
        hosts = rollout.hosts
        staged = hosts.each(hosts.all, lambda host: stage_on(rollout, self.shipment, host), doing="staging")
        for name, reply in staged.items():
            if reply.altered:
                rollout.warnings.append(
                    f"{name}: files of the build it had kept were changed there, and were replaced: "
                    f"{', '.join(reply.altered)}"
                )
        replies = staged.values()
        slots = Slots(
            bytes=sum(reply.bytes for reply in replies),
            drained_seconds=max((reply.drained_seconds for reply in replies), default=0.0),
        )
        if slots.drained_seconds >= WORTH_REPORTING_SECONDS:
            rollout.progress.line(
                f"waited {slots.drained_seconds:.1f} s for clients and jobs of an older release to leave"
            )
        return slots

    def detail(self, result: Slots) -> Mapping[str, object]:
        return {"bytes": result.bytes, "drained_seconds": result.drained_seconds}


def stage_on(rollout: Rollout, shipment: Shipment, host: FleetHost, *scopes: str) -> Staged:
    """Stage the release on one host, with the env of every scope that the host runs and of `scopes`."""
    app = shipment.app(rollout.app)
    signed = signed_env(rollout, shipment, *scopes)
    held = (*app.on_role(*host.facts.roles), *SCOPES_BESIDE_PROCESSES, *scopes)
    return host.agent.stage(
        order=rollout.order,
        release=shipment.number,
        build=shipment.manifest.id,
        manifest=shipment.manifest.model_dump(mode="json"),
        ticket=shipment.ticket,
        config=shipment.release.config,
        site=rollout.site,
        secret_names=secret_names(app),
        env={scope: signed.env[scope] for scope in held},
        env_ticket=signed.ticket(held),
    )


def signed_env(rollout: Rollout, shipment: Shipment, *scopes: str) -> SignedEnv:
    """The env of every process and one-off of the release, and of `scopes`; signed once for all hosts.

    BadInput: a value is missing, or this person may not sign for the stack.
    """
    app = shipment.app(rollout.app)
    wanted = {*app.processes, *SCOPES_BESIDE_PROCESSES, *scopes}
    with rollout.signing_env:
        kept = rollout.signed_envs.get(shipment.number)
        if kept is None or not wanted <= kept.env.keys():
            kept = _sign_env(rollout, shipment, app, wanted)
            rollout.signed_envs[shipment.number] = kept
        return kept


def _sign_env(rollout: Rollout, shipment: Shipment, app: App, scopes: Collection[str]) -> SignedEnv:
    env = {scope: rollout.stack.env(scope, app) for scope in scopes}
    salts = {scope: secrets.token_hex(16) for scope in env}
    digests = {scope: env_digest(scope, salts[scope], values) for scope, values in env.items()}
    content = env_statement(
        stack=rollout.stack.stack.fleet_id,
        release=shipment.number,
        build=shipment.manifest.id,
        fence=rollout.order.fence,
        config=shipment.release.config,
        site=rollout.site,
        secret_names=secret_names(app),
        digests=digests,
    )
    signer, signature = rollout.stack.signing.sign(content, ENV)
    return SignedEnv(env, salts, digests, signer, signature)


def secret_names(app: App) -> list[str]:
    """Variables whose values no log line may show."""
    return [name for name, var in app.env.items() if var.secret or var.source]


def env_of(rollout: Rollout, app: App, roles: Collection[Role], *scopes: str) -> dict[str, dict[str, str]]:
    """By scope, the env that a host of `roles` holds for `app`; `scopes` are added."""
    return {
        scope: rollout.stack.env(scope, app)
        for scope in (*app.on_role(*roles), *SCOPES_BESIDE_PROCESSES, *scopes)
    }

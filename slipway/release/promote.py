"""Promote: the release becomes the last known good, in one conditional write of the ledger's head.

Where hosts start by themselves, their boot documents name the release first: a host that starts just now must
not come up with the release before. Once the head has moved nothing is undone any more.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hosts.agent.boot_document import PACKED, SCHEMA
from hosts.agent.signature import BOOT
from slipway.fleet.agent import Order
from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Switched
from slipway.release.migrate import Schema
from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.stage import env_of, secret_names
from slipway.release.switch import prepare, switch_to
from slipway.settings import NeedsPerson, Role, SlipwayError
from slipway.storage.lease import LeaseLost
from slipway.storage.ledger import Ledger
from slipway.storage.records import Head, Release

PLAIN_BYTES = 65_536
"""The longest text of a secret in AWS Secrets Manager; longer documents are packed."""


@dataclass
class _MoveHead(Phase[None]):
    """The one write after which a release is a fact."""

    name = "promote"
    touches_fleet = False

    shipment: Shipment
    joined: dict[str, Switched] = field(default_factory=dict[str, Switched], init=False)
    """By name, the replies of web hosts that joined and were switched."""
    _tried: bool = field(default=False, init=False)
    _moved: bool = field(default=False, init=False)

    def run(self, rollout: Rollout) -> None:
        """Hosts that joined come along, boot documents name the release, then the head moves."""
        self.joined = self._bring_joiners(rollout)
        keep_boot_documents(rollout, self.shipment)
        self._tried = True
        try:
            self.move(rollout.ledger)
            self._moved = True
        except BaseException as failure:
            # Once the lease is lost another command decides what new hosts start.
            if not self.is_settled(rollout) and not isinstance(failure, LeaseLost):
                _restore_boot_documents(rollout, self.shipment)
            raise

    def move(self, ledger: Ledger) -> Head:
        """Have the head name the release."""
        raise NotImplementedError

    def is_named(self, head: Head) -> bool:
        """Has `move` written this head?"""
        return head.live == self.shipment.number

    def is_settled(self, rollout: Rollout) -> bool:
        """Does the head name this release? NeedsPerson: it may, and cannot be read.

        The move may have been made though its answer was lost, or a person pressed Ctrl-C just then.
        """
        if not self._tried or self._moved:
            return self._moved
        number = self.shipment.number
        try:
            self._moved = self.is_named(rollout.ledger.head())
        except SlipwayError as failure:
            raise NeedsPerson(
                f"it is not known whether release {number} was promoted; it serves as it is",
                remedy="when the bucket answers again, run the command again: it finishes or undoes this one",
                details=[failure.message, *failure.details],
            ) from failure
        return self._moved

    def _bring_joiners(self, rollout: Rollout) -> dict[str, Switched]:
        def bring(host: FleetHost) -> Switched:
            prepare(rollout, self.shipment, host)
            return switch_to(rollout, host, self.shipment, wait=not host.facts.is_any("web"))

        brought = rollout.hosts.take_in_joiners(rollout.live, bring)
        return {host.name: brought[host.name] for host in rollout.hosts.web if host.name in brought}


@dataclass
class Promote(_MoveHead):
    """The end of a release."""

    schema: Schema

    def move(self, ledger: Ledger) -> Head:
        return ledger.promote(self.shipment.number, schema_head=self.schema.head)


@dataclass
class ReturnTo(_MoveHead):
    """The end of a rollback: the head names the release that serves again."""

    record: int
    """The rollback's own number in the ledger."""

    def move(self, ledger: Ledger) -> Head:
        return ledger.roll_back(self.shipment.number, record=self.record)

    def is_named(self, head: Head) -> bool:
        """The head names the release all along if the rollback stopped one that was under way."""
        return super().is_named(head) and head.record == self.record


def keep_boot_documents(rollout: Rollout, live: Shipment | None) -> None:
    """From now on a new host starts `live`, under this command's fence; None: it starts nothing.

    Does nothing where only `slipway up` adds hosts. LeaseLost: another command has taken over.
    """
    write = rollout.stack.write_boot_documents
    if write is None:
        return
    rollout.lease.check()
    roles = rollout.hosts.roles
    documents: dict[Role, dict[str, object]]
    if live is None:
        documents = {role: nothing_live(role, order=rollout.order) for role in roles}
    else:
        _warn_of_another_config(rollout, live.release)
        app = live.app(rollout.app)
        documents = {
            role: boot_document(
                role,
                live,
                order=rollout.order,
                hold_seconds=rollout.app.retire.hold_seconds,
                site=rollout.site,
                secret_names=secret_names(app),
                env=env_of(rollout, app, [role]),
            )
            for role in roles
        }
    write({role: signed_text(rollout, each) for role, each in documents.items()}, rollout.order.numbers)


def _restore_boot_documents(rollout: Rollout, failed: Shipment) -> None:
    try:
        live = rollout.shipped(rollout.live) if rollout.live else None
        keep_boot_documents(rollout, live)
    except SlipwayError as failure:
        rollout.warnings.append(f"new hosts may start release {failed.number}: {failure.message}")


def _warn_of_another_config(rollout: Rollout, live: Release) -> None:
    """The secret store holds one value for each secret, not one for each release."""
    if live.config != rollout.stack.config_version:
        rollout.warnings.append(
            f"settings or secrets have changed since release {live.number}: hosts that start from now on "
            "run it with today's values"
        )


def signed_text(rollout: Rollout, document: Mapping[str, object]) -> str:
    """The text of a boot document, signed for the stack."""
    stack = rollout.stack
    content = json.dumps({**document, "stack": stack.stack.fleet_id}, separators=(",", ":"))
    signer, signature = stack.signing.sign(content.encode(), BOOT)
    return _text({"signer": signer, "signature": signature, "document": content})


def boot_document(
    role: Role,
    live: Shipment,
    *,
    order: Order,
    hold_seconds: float,
    site: str,
    secret_names: Sequence[str],
    env: Mapping[str, Mapping[str, str]],
) -> dict[str, object]:
    """What a new host of `role` needs to start `live` by itself.

    `order` is that of the command that makes it live. The fields are described where they are read
    (hosts/agent/boot_document.py).
    """
    stage = {
        "release": live.number,
        "build": live.release.build,
        "config": live.release.config,
        "manifest": live.manifest.model_dump(mode="json"),
        "ticket": live.ticket,
        "site": site,
        "secret_names": list(secret_names),
        "env": {scope: dict(values) for scope, values in env.items()},
    }
    return {
        "schema": SCHEMA,
        "role": role,
        "fence": order.fence,
        "step": order.step,
        "hold_seconds": hold_seconds,
        "stage": stage,
    }


def nothing_live(role: Role, *, order: Order) -> dict[str, object]:
    """The boot document of a stack whose first release was undone."""
    return {"schema": SCHEMA, "role": role, "fence": order.fence, "step": order.step, "stage": {"release": 0}}


def _text(document: Mapping[str, object]) -> str:
    plain = json.dumps(document, separators=(",", ":"))
    if len(plain.encode()) <= PLAIN_BYTES:
        return plain
    return PACKED + base64.b64encode(zlib.compress(plain.encode(), 9)).decode()

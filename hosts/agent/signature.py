"""Nothing runs here that was not signed for this stack by a key that `slipway up` placed on this host.

A ticket is a signature over what a record of the ledger decided: which release serves, by which build. It
names the record's fence and the floor, the fence of what served before. This host remembers the greatest
floor, and refuses tickets below it: whoever can write the builds bucket cannot bring an old release back.

The environment is signed apart, by the command that stages the release and for that command's fence: it comes
from today's secrets, which may have changed since the record. Once a newer command was here, it is worthless.

The fence itself is signed where a request comes by an ssh key of CI: whoever has only that key must not end a
command of somebody else, or make this host refuse every later one.
"""

from __future__ import annotations

import json
import os

from . import program
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Slot, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RELEASE = "slipway-release"
BOOT = "slipway-boot"
ENV = "slipway-env"
KIT = "slipway-kit"
FENCE = "slipway-fence"
"""What a signature is for; one that was made for anything else does not verify."""


def statement(*, stack: str, release: int, build: str, record: int, fence: int, floor: int) -> bytes:
    """What a ticket's signature is over. `stack` is the fleet's id: project and stack."""
    return canonical(
        {
            "schema": 1,
            "stack": stack,
            "release": release,
            "build": build,
            "record": record,
            "fence": fence,
            "floor": floor,
        }
    )


def env_statement(
    *, stack: str, release: int, build: str, fence: int, config: str, site: str, secret_names: Sequence[str],
    digests: Mapping[str, str],
) -> bytes:  # fmt: skip
    """What the signature of an environment is over. `digests` has one of `env_digest` for each scope."""
    return canonical(
        {
            "schema": 1,
            "stack": stack,
            "release": release,
            "build": build,
            "fence": fence,
            "config": config,
            "site": site,
            "secret_names": list(secret_names),
            "env": dict(digests),
        }
    )


def fence_statement(*, stack: str, fence: int) -> bytes:
    """What the signature of a command's fence is over."""
    return canonical({"schema": 1, "stack": stack, "fence": fence})


def env_digest(scope: str, salt: str, values: Mapping[str, str]) -> str:
    """SHA-256 of the environment of `scope`, in hex.

    `salt` is random: hosts see the digests of scopes that they do not run, and must not guess a short secret.
    """
    import hashlib

    return hashlib.sha256(canonical({"scope": scope, "salt": salt, "env": dict(values)})).hexdigest()


def canonical(value: object) -> bytes:
    """JSON in canonical form: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def manifest_id(manifest: Mapping[str, object]) -> str:
    """The id of a build: `b` and the SHA-256 of its manifest without the id, in hex."""
    import hashlib

    return "b" + hashlib.sha256(canonical({k: v for k, v in manifest.items() if k != "id"})).hexdigest()


def admit(
    paths: Paths, host: Host, state: State, plan: Slot, manifest: JsonObject, ticket: JsonObject
) -> None:
    """Let `plan` have the ticket, and remember its floor. Raises `unsigned`, `outdated`."""
    if manifest_id(manifest.raw) != plan.build:
        raise AgentError(
            "unsigned",
            f"release {plan.release}: its manifest is not that of build {plan.build}: it was changed",
        )
    plan.ticket = dict(ticket.raw)
    _verify(paths, host, plan)
    refuse_outdated(state, plan)
    raise_floor(state, ticket.whole("floor"))


def admit_env(paths: Paths, host: Host, plan: Slot, request: JsonObject) -> None:
    """Refuse an environment that no signer of this stack gave to `plan` by this very command: `unsigned`."""
    ticket, env = request.section("env_ticket"), request.section("env")
    digests, salts = ticket.strings("digests"), ticket.strings("salts")
    fence = request.whole("fence")
    content = env_statement(
        stack=host.fleet,
        release=plan.release,
        build=plan.build,
        fence=fence,
        config=plan.config,
        site=plan.site,
        secret_names=request.texts("secret_names"),
        digests=digests,
    )
    signer, signature = ticket.text("signer", ""), ticket.text("signature", "")
    if not verifies(paths, content, signature, signer, ENV):
        raise AgentError(
            "unsigned",
            f"the environment of release {plan.release} is not signed for stack {host.fleet} and fence "
            f"{fence} by a key that this host knows ({signer or 'no signer'}): a slipway of the host's "
            "version signs it; `slipway up` places the keys",
        )
    for scope in sorted({*env.raw, *plan.processes}):
        if env_digest(scope, salts.get(scope, ""), env.strings(scope)) != digests.get(scope):
            raise AgentError(
                "unsigned",
                f"the environment of {scope} is not the one that {signer} signed for release {plan.release}: "
                "it was changed on its way to this host",
            )


def admit_fence(paths: Paths, host: Host, request: JsonObject) -> None:
    """Refuse a request whose fence no signer of this stack gave to its command: `unsigned`."""
    fence, ticket = request.whole("fence"), request.section("fence_ticket")
    signer, signature = ticket.text("signer", ""), ticket.text("signature", "")
    if not verifies(paths, fence_statement(stack=host.fleet, fence=fence), signature, signer, FENCE):
        raise AgentError(
            "unsigned",
            f"fence {fence} is not signed for stack {host.fleet} by a key that this host knows "
            f"({signer or 'no signer'}), and the ssh key of CI changes nothing by itself: give a key that "
            "may sign by SLIPWAY_SIGNING_KEY; `slipway up` places the keys",
        )


def admit_again(paths: Paths, host: Host, state: State, slot: Slot, request: JsonObject) -> None:
    """Before `slot` serves: let it have the ticket of `request`, if there is one. Raises as `admit`."""
    ticket = request.section("ticket")
    if ticket.raw and ticket.raw != slot.ticket:
        before, slot.ticket = slot.ticket, dict(ticket.raw)
        try:
            _verify(paths, host, slot)
        except AgentError:
            slot.ticket = before
            raise
        raise_floor(state, ticket.whole("floor"))
        state.save()
    refuse_outdated(state, slot)


def check(paths: Paths, host: Host, state: State, slot: Slot) -> None:
    """Before `slot` is started: its ticket is still good, by the keys of today. Raises as `admit`."""
    if slot.ticket or state.floor:
        _verify(paths, host, slot)
        refuse_outdated(state, slot)


def refuse_outdated(state: State, slot: Slot) -> None:
    """Raise `outdated` if something newer than the slot's ticket has been accepted here for good."""
    fence = fence_of(slot)
    if fence < state.floor:
        raise AgentError(
            "outdated",
            f"release {slot.release} was signed under fence {fence}; this host has accepted releases signed "
            f"under {state.floor} since: going back takes a rollback, signed as such",
        )


def fence_of(slot: Slot) -> int:
    """The fence under which its ticket was signed; 0 without one."""
    return JsonObject(slot.ticket, "ticket").whole("fence", 0)


def raise_floor(state: State, floor: int) -> None:
    """Refuse, from now on, what was signed under an older fence."""
    if floor > state.floor:
        state.floor = floor
        state.save()


def _verify(paths: Paths, host: Host, slot: Slot) -> None:
    ticket = JsonObject(slot.ticket, "ticket")
    content = b""
    if slot.ticket:
        content = statement(
            stack=host.fleet,
            release=slot.release,
            build=slot.build,
            record=ticket.whole("record"),
            fence=ticket.whole("fence"),
            floor=ticket.whole("floor"),
        )
    signer, signature = ticket.text("signer", ""), ticket.text("signature", "")
    if not verifies(paths, content, signature, signer, RELEASE):
        raise AgentError(
            "unsigned",
            f"release {slot.release} of build {slot.build} is not signed for stack {host.fleet} by a key "
            f"that this host knows ({signer or 'no signer'}): `slipway verify {slot.release}` says who "
            "signed it; `slipway up` places the keys",
        )


def verifies(paths: Paths, content: bytes, signature: str, signer: str, namespace: str) -> bool:
    """Did `signer`, as the file of signers on this host knows them, sign `content` for `namespace`?"""
    if not signature or not signer or not os.path.exists(paths.signers):
        return False
    keygen = ("ssh-keygen", "-Y", "verify", "-f", paths.signers, "-I", signer, "-n", namespace)
    return program.feed((*keygen, "-s", "/dev/fd/3"), content, signature.encode()).code == 0

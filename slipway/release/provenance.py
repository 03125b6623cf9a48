"""Where a build came from: the release of another stack that proved it, in promotion.json and the ledger."""

from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import StringConstraints

from hosts.agent.signature import RELEASE, canonical, statement
from slipway.secrets import signing
from slipway.settings import Project
from slipway.stack import LiveStack
from slipway.storage.records import Stored

NAMESPACE = "slipway-promotion"
"""What a signature of a promotion is for."""


class Promotion(Stored):
    """A release of one stack, as it is taken to another."""

    stack: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Name of the stack that it was proved on."""
    release: int
    build: str
    commit: str = ""
    """Commit of the source that the build was made from; shipping the build takes it checked out."""
    record: int
    fence: int
    floor: int
    released_by: str
    release_signature: str
    """Over what the hosts of that stack were to do: hosts/agent/signature.py."""
    proved: dict[str, object]
    """What the phase `prove` recorded: counts of the checks' verdicts, profile of the load test."""
    signer: str = ""
    signature: str = ""
    """Over all of the above."""

    @property
    def content(self) -> bytes:
        """What `signature` is over."""
        return canonical(self.model_dump(mode="json", exclude={"signer", "signature"}))

    @property
    def summary(self) -> str:
        """One line for a person."""
        return f"release {self.release} of {self.stack}, signed by {self.released_by}; {_proof(self.proved)}"


def flaws_of(project: Project, made: Promotion) -> list[str]:
    """What does not hold of a promotion, by the signers of the stack that it names as they are now."""
    source = project.on_stack(made.stack)
    file = signing.signers_file(source)
    said = statement(
        stack=source.fleet_id, release=made.release, build=made.build,
        record=made.record, fence=made.fence, floor=made.floor,
    )  # fmt: skip
    found: list[str] = []
    if not signing.trusts(source, said, made.release_signature, made.released_by, RELEASE):
        found.append(f"release {made.release} was not signed by {made.released_by or 'anyone'} of {file}")
    if not signing.trusts(source, made.content, made.signature, made.signer, NAMESPACE):
        found.append(f"the promotion was not signed by {made.signer or 'anyone'} of {file}, or was changed")
    return found


def promoted_from(stack: LiveStack, number: int) -> Promotion | None:
    """The promotion by which record `number` of `stack` came to be; None: it was released from source."""
    for event in stack.ledger.events(number):
        if event.phase == "publish" and (found := event.detail.get("promotion")):
            return Promotion.model_validate(found)
    return None


def _proof(proved: Mapping[str, object]) -> str:
    """`checks: 40 passed; load test: expected`."""
    said: list[str] = []
    if isinstance(checks := proved.get("checks"), dict):
        counts = cast("dict[str, object]", checks)
        said.append(f"checks: {', '.join(f'{counts[verdict]} {verdict}' for verdict in sorted(counts))}")
    if isinstance(load := proved.get("load"), dict):
        said.append(f"load test: {cast('dict[str, object]', load).get('profile')}")
    return "; ".join(said) or "nothing proved"

"""Verify: who signed a release, from which commit, with which SBOM. Reads the bucket; asks no host."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, cast

from slipway.build.manifest import canonical
from slipway.release.provenance import flaws_of, promoted_from
from slipway.secrets import signing
from slipway.settings import BadInput, SlipwayError
from slipway.stack import LiveStack
from slipway.storage.records import Release


@dataclass(frozen=True)
class Verified:
    """What is known about a release; `flaws` is empty if all of it holds."""

    release: int
    record: int
    """The record that decided that it serves: its own, or a rollback to it."""
    kind: str
    signer: str
    signed_at: str
    stack: str
    fence: int
    build: str
    commit: str
    subject: str
    dirty: bool
    layers: tuple[str, ...]
    sbom: str
    packages: int
    promoted: str
    """Release of another stack from which the build was promoted, and its proof; empty: it was not."""
    flaws: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def verify(stack: LiveStack, number: int | None) -> Verified:
    """Check the signatures and digests of record `number`; None: of the one that serves.

    BadInput: there is no such record, or its manifest cannot be read.
    """
    ledger = stack.ledger
    head = ledger.head()
    chosen = number or head.record or head.live
    if chosen is None:
        raise BadInput("nothing is live on this stack", remedy="name a release: slipway verify 12")
    record = ledger.get(chosen)
    flaws = _signature(stack, record)
    manifest = stack.manifest(record.build)
    found = stack.bucket.get_json(f"builds/{manifest.id}.cdx.json")
    sbom = found[0] if found else {}
    if f"sha256:{hashlib.sha256(canonical(sbom)).hexdigest()}" != manifest.sbom:
        flaws.append("the SBOM in the bucket is missing, or not the one that the build was made with")
    promotion = promoted_from(stack, record.target or record.number)
    if promotion:
        flaws += flaws_of(stack.project, promotion)
        if promotion.build != record.build:
            flaws.append(f"the promotion is of build {promotion.build}")
    components = cast("dict[str, list[object]]", sbom).get("components", [])
    return Verified(
        release=record.target or record.number,
        record=record.number,
        kind=record.kind,
        signer=record.signer,
        signed_at=record.created.strftime("%Y-%m-%d %H:%M:%S"),
        stack=stack.stack.fleet_id,
        fence=record.fence,
        build=manifest.id,
        commit=manifest.git.sha,
        subject=manifest.git.subject,
        dirty=manifest.git.dirty,
        layers=tuple(layer.digest for layer in manifest.layers),
        sbom=manifest.sbom,
        packages=len(components),
        promoted=promotion.summary if promotion else "",
        flaws=tuple(flaws),
    )


def _signature(stack: LiveStack, record: Release) -> list[str]:
    if not record.signature:
        return ["the record is not signed"]
    if stack.signing.trusts_record(record):
        return []
    file = signing.signers_file(stack.project)
    return [
        f"the signature is not that of {record.signer or 'anyone'}, by {file} of now, over this record: "
        "it was changed, or the key was taken out or has expired"
    ]


def refuse(found: Verified) -> None:
    """Raise SlipwayError unless all of it holds."""
    if found.flaws:
        raise SlipwayError(
            f"release {found.release} (record {found.record}) does not hold what it claims",
            details=found.flaws,
            remedy="hosts refuse to stage it; ship a release that you have signed",
        )

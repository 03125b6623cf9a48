"""Promotion: the build that one stack has proved goes to another, with its signature and its proof.

`take` reads the first stack and needs its credentials only; `bring` needs those of the second only. Between
them is a folder: an artifact (slipway/build/artifact.py), and `promotion.json`, which says who released the
build where and what it proved there, signed for the first stack.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from hosts.agent.signature import canonical
from slipway.build.artifact import MANIFEST, write_artifact
from slipway.build.build import Build
from slipway.build.cache import layer_path
from slipway.build.command import client_env
from slipway.build.manifest import Manifest, read_manifest, short
from slipway.progress import Progress
from slipway.release.phases import Report
from slipway.release.provenance import NAMESPACE, Promotion, flaws_of
from slipway.release.rollout import Options
from slipway.release.ship import ship
from slipway.release.verify import refuse, verify
from slipway.secrets import signing
from slipway.settings import BadInput, Project, SlipwayError
from slipway.stack import LiveStack
from slipway.storage.records import Release

FILE = "promotion.json"


def take(
    stack: LiveStack, number: int | None, folder: Path, progress: Progress, *, unproved: bool = False
) -> Promotion:
    """Write the build of release `number` (None: the live one) of `stack` into `folder`.

    SlipwayError: signature, manifest, SBOM or a layer do not hold. BadInput: the release was not promoted,
    was rolled back, or proved nothing (unless `unproved`).
    """
    chosen = number or stack.ledger.head().live
    if chosen is None:
        raise BadInput(f"nothing is live on {stack.name}", remedy="release there first")
    record = stack.ledger.get(chosen)
    if not record.is_good:
        raise BadInput(
            f"release {chosen} of {stack.name} is {record.status}: only one that was promoted there goes on",
            remedy=f"slipway history --stack {stack.name}",
        )
    refuse(verify(stack, chosen))
    proved = _proved(stack, chosen)
    if not proved and not unproved:
        raise BadInput(
            f"release {chosen} of {stack.name} proved nothing after its switch",
            remedy=f"slipway:prove in Pulumi.{stack.name}.yaml, and release there; or --unproved",
        )
    build = _fetched(stack, record, progress)
    write_artifact(build, folder)
    made = _signed(stack.project, record, build.manifest.git.sha, proved)
    (folder / FILE).write_text(made.model_dump_json(indent=1) + "\n")
    progress.line(f"took build {short(made.build)}: {made.summary}")
    return made


def bring(stack: LiveStack, folder: Path, options: Options, progress: Progress) -> Report:
    """Ship the build in `folder` to `stack`. BadInput: it is not what the first stack's signers promoted."""
    made = read(stack.project, folder)
    if made.stack == stack.name:
        raise BadInput(f"{folder} was taken from {stack.name} itself", remedy="name another stack with --to")
    _refuse_client_values(stack.project, made.stack)
    progress.line(f"promoting build {short(made.build)}: {made.summary}")
    return ship(stack, replace(options, build=str(folder), promotion=made.model_dump(mode="json")), progress)


def read(project: Project, folder: Path) -> Promotion:
    """The promotion in `folder`, whose signatures hold and whose build is the one in the folder."""
    try:
        made = Promotion.model_validate_json((folder / FILE).read_bytes())
        content = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, ValidationError) as error:
        raise BadInput(
            f"{folder} holds no promoted build: {str(error).splitlines()[0]}",
            remedy="`slipway promote --from STACK --output FOLDER` writes one",
        ) from None
    if read_manifest(content, str(folder / MANIFEST)).id != made.build:
        raise BadInput(f"{folder} holds another build than {made.build}", remedy="take it again")
    if flaws := flaws_of(project, made):
        raise BadInput(f"{folder / FILE} does not hold what it claims", details=flaws, remedy="take it again")
    return made


def _refuse_client_values(project: Project, stack: str) -> None:
    """BadInput, naming them, if the build holds values of `stack` that differ here."""
    there, here = (client_env(project.app, each.stack) for each in (project.on_stack(stack), project))
    if differ := [name for name in here if here[name] != there.get(name)]:
        raise BadInput(
            f"the build holds {stack}'s values of {', '.join(differ)}, which differ on {project.stack.name}",
            remedy="client values are compiled into what browsers load: serve these from the API instead, or"
            f" make another build: slipway release --stack {project.stack.name}",
        )


def _proved(stack: LiveStack, number: int) -> dict[str, object]:
    for event in reversed(stack.ledger.events(number)):
        if (event.phase, event.event) == ("prove", "done"):
            return {kind: event.detail[kind] for kind in ("checks", "load") if event.detail.get(kind)}
    return {}


def _fetched(stack: LiveStack, record: Release, progress: Progress) -> Build:
    """The build with its layers on this machine, each compared with its digest in the manifest."""
    manifest = stack.manifest(record.build)
    paths = {layer.digest: layer_path(layer.digest) for layer in manifest.layers}
    for layer in manifest.layers:
        if not paths[layer.digest].exists():
            progress.line(f"fetching the {layer.kind} layer, {layer.size / 1e6:.1f} MB")
            stack.bucket.get_file(layer.key, paths[layer.digest], sha256=layer.digest.removeprefix("sha256:"))
    return Build(manifest, "bucket", None, paths, _sbom(stack, manifest))


def _sbom(stack: LiveStack, manifest: Manifest) -> bytes:
    found = stack.bucket.get_json(f"builds/{manifest.id}.cdx.json")
    sbom = canonical(found[0]) if found else b""
    if f"sha256:{hashlib.sha256(sbom).hexdigest()}" != manifest.sbom:
        raise SlipwayError(f"the SBOM of build {manifest.id} is missing or was changed")
    return sbom


def _signed(project: Project, record: Release, commit: str, proved: Mapping[str, object]) -> Promotion:
    made = Promotion(
        stack=project.stack.name,
        release=record.number,
        build=record.build,
        commit=commit,
        record=record.number,
        fence=record.fence,
        floor=record.floor,
        released_by=record.signer,
        release_signature=record.signature,
        proved=dict(proved),
    )
    signer, signature = signing.signed(project, made.content, NAMESPACE)
    return made.model_copy(update={"signer": signer, "signature": signature})

"""`slipway promote`: what goes from one stack to another and what is refused; a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from slipway.build.artifact import made_before
from slipway.build.build import build, publish
from slipway.progress import Silent
from slipway.release import promotion
from slipway.release.promotion import FILE, bring, take
from slipway.release.provenance import Promotion
from slipway.release.publish import Publish, Published
from slipway.release.rollout import Options, Shipment
from slipway.release.verify import refuse, verify
from slipway.secrets import signing
from slipway.settings import BadInput, EnvVar, Project, SlipwayError, load_stack
from slipway.stack import LiveStack
from slipway.storage.lease import Lease
from slipway.storage.ledger import Ledger
from slipway.storage.records import Release
from tests.s3 import S3
from tests.unit.build.conftest import cache_home, make_project, write

__all__ = ["cache_home", "make_project"]

PROOF: dict[str, object] = {"checks": {"passed": 40}, "load": {"profile": "expected", "exit_code": 0}}


def live_on(project: Project, name: str, s3: S3) -> LiveStack:
    """The stack `name` of the project, with a bucket of its own and this person as its signer."""
    (project.root / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    file = project.root / f"Pulumi.{name}.yaml"
    if not file.exists():
        file.write_text("config:\n  slipway:platform: local\n")
    stack = load_stack(project.root, name)
    here = replace(project, stack=stack, state_dir=project.root / ".slipway" / name)
    signing.ensure_signers(here)
    live = LiveStack(here)
    live._outputs = cast("Any", SimpleNamespace(stack=name))  # pyright: ignore[reportPrivateUsage]
    vars(live)["bucket"] = s3.bucket()
    return live


def write_release(live: LiveStack, build_id: str, *events: tuple[str, dict[str, object]]) -> Release:
    with Lease.acquire(live.bucket, live.name, "ana@desk") as lease:
        ledger = Ledger(live.bucket, live.name, lease=lease, sign=live.signing.record)
        record = ledger.create(kind="release", build=build_id, config="c")
        for phase, detail in events:
            ledger.event(record.number, phase, "done", detail)
        ledger.promote(record.number)
        ledger.event(record.number, "promote", "done")
    return record


@pytest.fixture
def preview(make_project: Any, s3: S3) -> LiveStack:
    """A stack on which release 1 was shipped and has proved itself."""
    lock = json.dumps({"packages": {"ms": ["ms@2.1.3", "", {}, "sha512-AAAA"]}})
    live = live_on(make_project({"bun.lock": lock, "a.txt": "abc"}), "preview", s3)
    made = build(live.project)
    publish(made, live.bucket, sign=live.signing.build)
    write_release(live, made.manifest.id, ("prove", {**PROOF, "seconds": 3.0}))
    return live


@pytest.fixture
def prod(preview: LiveStack, s3: S3) -> LiveStack:
    return live_on(preview.project, "prod", s3)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, this is a machine that has never built anything."""
    return lambda: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of another machine"))


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LiveStack, Options]]:
    """What was shipped where: hosts are the fleet tests' part."""
    calls: list[tuple[LiveStack, Options]] = []

    def ship(stack: LiveStack, options: Options, _progress: object) -> None:
        calls.append((stack, options))

    monkeypatch.setattr(promotion, "ship", ship)
    return calls


def test_the_very_build_goes_over_with_its_signature_and_its_proof(
    preview: LiveStack,
    prod: LiveStack,
    shipped: list[tuple[LiveStack, Options]],
    elsewhere: Callable[[], None],
    tmp_path: Path,
):
    original = preview.manifest(preview.ledger.get(1).build)
    elsewhere()
    folder = tmp_path / "artifact"
    taken = take(preview, None, folder, Silent())
    assert (taken.release, taken.build, taken.proved) == (1, original.id, PROOF)
    bring(prod, folder, Options(observe_seconds=5), Silent())
    [(stack, options)] = shipped
    assert (stack, options.observe_seconds) == (prod, 5)
    # What the phases build and publish do with these options.
    made = made_before(prod.project, options.build)
    assert made.manifest == original
    uploads = publish(made, prod.bucket, sign=prod.signing.build)
    published = Published(Shipment(preview.ledger.get(1), lambda: original), uploads, options.promotion)
    detail = Publish(cast("Any", None), made).detail(published)
    write_release(prod, made.manifest.id, ("publish", dict(detail)))
    found = verify(prod, None)
    refuse(found)
    assert found.build == original.id
    assert found.promoted == (
        f"release 1 of preview, signed by {taken.released_by}; checks: 40 passed; load test: expected"
    )


@pytest.mark.parametrize("what", ["signature", "proof", "build", "signers", "stack"])
def test_a_promotion_that_was_changed_is_refused(
    what: str, preview: LiveStack, prod: LiveStack, tmp_path: Path, shipped: list[Any]
):
    folder = tmp_path / "artifact"
    take(preview, None, folder, Silent())
    content = json.loads((folder / FILE).read_text())
    if what == "signature":
        content["release_signature"] = content["signature"]
    elif what == "proof":
        content["proved"]["checks"]["passed"] = 400
    elif what == "build":
        content["build"] = "b" + "0" * 64
    elif what == "signers":
        file = signing.signers_file(preview.project)
        file.write_text(file.read_text().replace("AAAA", "BBBB", 1))
    else:
        content["stack"] = "../preview"
    (folder / FILE).write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"does not hold|another build|holds no promoted build"):
        bring(prod, folder, Options(), Silent())
    assert shipped == []


def test_a_release_that_proved_nothing_goes_only_on_purpose(preview: LiveStack, tmp_path: Path):
    write_release(preview, preview.ledger.get(1).build, ("prove", {"seconds": 0.1}))
    with pytest.raises(BadInput, match="release 2 of preview proved nothing"):
        take(preview, None, tmp_path / "a", Silent())
    assert take(preview, None, tmp_path / "b", Silent(), unproved=True).proved == {}
    assert take(preview, 1, tmp_path / "c", Silent()).release == 1


def test_a_release_that_was_taken_back_does_not_go_on(preview: LiveStack, tmp_path: Path):
    write_release(preview, preview.ledger.get(1).build, ("prove", PROOF))
    with Lease.acquire(preview.bucket, "preview", "ana@desk") as lease:
        Ledger(preview.bucket, "preview", lease=lease, sign=preview.signing.record).roll_back(1)
    with pytest.raises(BadInput, match="release 2 of preview is rolled_back"):
        take(preview, 2, tmp_path / "artifact", Silent())


def test_what_was_changed_in_the_first_stack_s_bucket_is_not_taken(
    preview: LiveStack, tmp_path: Path, elsewhere: Callable[[], None]
):
    elsewhere()
    layer = preview.manifest(preview.ledger.get(1).build).layers[-1]
    preview.bucket.put_bytes(layer.key, b"another layer")
    with pytest.raises(SlipwayError, match="is corrupt"):
        take(preview, None, tmp_path / "artifact", Silent())
    assert not (tmp_path / "artifact" / FILE).exists()


def test_another_checkout_than_the_build_s_is_refused(
    preview: LiveStack, prod: LiveStack, tmp_path: Path, shipped: list[tuple[LiveStack, Options]]
):
    folder = tmp_path / "artifact"
    take(preview, None, folder, Silent())
    bring(prod, folder, Options(), Silent())
    write(prod.project.context, {"a.txt": "abd"})
    with pytest.raises(BadInput, match="was not made from what is here"):
        made_before(prod.project, shipped[0][1].build)


def test_values_that_browsers_load_must_be_those_of_the_other_stack(
    preview: LiveStack, prod: LiveStack, tmp_path: Path, shipped: list[Any]
):
    folder = tmp_path / "artifact"
    take(preview, None, folder, Silent())
    env = {"API_URL": EnvVar(value="https://api.example.com", client=True)}
    app = prod.app.model_copy(update={"env": env})
    stack = prod.stack.model_copy(update={"env": {"API_URL": "https://api.prod.example.com"}})
    vars(prod)["project"] = replace(prod.project, app=app, stack=stack)
    with pytest.raises(BadInput, match=r"holds preview's values of API_URL"):
        bring(prod, folder, Options(), Silent())
    assert shipped == []


def test_a_stack_does_not_promote_to_itself(preview: LiveStack, tmp_path: Path, shipped: list[Any]):
    take(preview, None, tmp_path, Silent())
    with pytest.raises(BadInput, match="taken from preview itself"):
        bring(preview, tmp_path, Options(), Silent())


def test_the_signature_is_over_every_field_but_itself(preview: LiveStack, tmp_path: Path):
    made = take(preview, None, tmp_path, Silent())
    assert set(json.loads(made.content)) == set(Promotion.model_fields) - {"signer", "signature"}

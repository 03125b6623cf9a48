"""Publishing to a real S3 server: only what is missing, the manifest last, damage refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from slipway.build import cache
from slipway.build.build import build, input_statement, publish
from slipway.build.manifest import canonical, input_key, load_manifest, manifest_id
from slipway.settings import BadInput, SlipwayError
from slipway.storage.bucket import Damaged
from tests.s3 import S3
from tests.unit.build.conftest import MakeProject, write


def sign(content: bytes) -> tuple[str, str]:
    return "ana", hashlib.sha256(b"ana's key" + content).hexdigest()


def trusts(content: bytes, signature: str, signer: str) -> bool:
    return (signer, signature) == sign(content)


DEPS = {"deps": {"inputs": ["lock"], "command": "mkdir mods; cp lock mods", "paths": ["mods"]}}


def test_only_missing_layers_are_sent(make_project: MakeProject, s3: S3) -> None:
    bucket = s3.bucket()
    project = make_project({"lock": "1", "a.txt": "1"}, build=DEPS)
    first = publish(build(project), bucket, sign=sign)
    assert len(first.uploaded) == 2
    assert first.bytes > 0
    write(project.context, {"a.txt": "2"})
    second = publish(build(project), bucket, sign=sign)
    assert (len(second.uploaded), len(second.reused)) == (1, 1)
    assert load_manifest(bucket, second.build).id == second.build


def test_a_published_build_is_found_by_its_input_from_another_machine(
    make_project: MakeProject, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3.bucket()
    project = make_project({"a.txt": "1"}, build={"command": "date +%N > when"})
    made = build(project, bucket=bucket, trusts=trusts)
    publish(made, bucket, sign=sign)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    found = build(project, bucket=bucket, trusts=trusts)
    assert found.origin == "bucket"
    assert found.manifest == made.manifest
    assert publish(found, bucket, sign=sign).bytes == 0


def test_a_build_whose_layers_were_pruned_is_made_and_sent_again(make_project: MakeProject, s3: S3) -> None:
    bucket = s3.bucket()
    project = make_project({"a.txt": "1"})
    made = build(project, bucket=bucket, trusts=trusts)
    publish(made, bucket, sign=sign)
    bucket.delete(made.manifest.layers[0].key)
    again = build(project, bucket=bucket, trusts=trusts)
    assert again.origin == "cache"
    assert publish(again, bucket, sign=sign).uploaded == [made.manifest.layers[0].digest]


def test_what_lies_in_the_bucket_is_what_the_manifest_says(make_project: MakeProject, s3: S3) -> None:
    bucket = s3.bucket()
    made = build(make_project({"a.txt": "1"}))
    publish(made, bucket, sign=sign)
    folder = s3.folder / bucket.name
    layer = made.manifest.layers[0]
    assert hashlib.sha256((folder / layer.key).read_bytes()).hexdigest() == layer.digest.removeprefix(
        "sha256:"
    )
    sbom = json.loads((folder / f"builds/{made.manifest.id}.cdx.json").read_text())
    assert f"sha256:{hashlib.sha256(canonical(sbom)).hexdigest()}" == made.manifest.sbom
    assert json.loads((folder / f"builds/{made.manifest.id}.json").read_text())["id"] == made.manifest.id


def test_a_damaged_manifest_is_named_and_a_release_of_the_same_source_replaces_it(
    make_project: MakeProject, s3: S3
) -> None:
    bucket = s3.bucket()
    project = make_project({"a.txt": "1"})
    made = build(project, bucket=bucket, trusts=trusts)
    publish(made, bucket, sign=sign)
    content = bucket.get_bytes(made.manifest.key) or b""
    bucket.put_bytes(made.manifest.key, content[: len(content) // 2])
    with pytest.raises(Damaged, match=made.manifest.key) as refused:
        load_manifest(bucket, made.manifest.id)
    assert "a release of the same source" in refused.value.remedy
    publish(build(project, bucket=bucket, trusts=trusts), bucket, sign=sign)
    assert load_manifest(bucket, made.manifest.id) == made.manifest


def test_a_damaged_layer_in_the_cache_is_never_sent_and_the_manifest_neither(
    make_project: MakeProject, s3: S3
) -> None:
    bucket = s3.bucket()
    project = make_project({"a.txt": "1"})
    made = build(project)
    layer = made.manifest.layers[0]
    path = cache.layer_path(layer.digest)
    path.write_bytes(bytes(reversed(path.read_bytes())))
    with pytest.raises(SlipwayError, match="damaged and has been removed"):
        publish(made, bucket, sign=sign)
    assert list(bucket.list("")) == []
    publish(build(project), bucket, sign=sign)
    assert bucket.exists(layer.key)


def test_publishing_twice_is_publishing_once(make_project: MakeProject, s3: S3) -> None:
    bucket = s3.bucket()
    made = build(make_project({"a.txt": "1"}))
    first, second = publish(made, bucket, sign=sign), publish(made, bucket, sign=sign)
    assert (len(first.uploaded), len(second.uploaded)) == (1, 0)


def test_an_unknown_build_is_bad_input(s3: S3) -> None:
    with pytest.raises(BadInput, match="no build b000000000000"):
        load_manifest(s3.bucket(), "b000000000000")


@pytest.mark.parametrize("how", ["another input", "another app", "unsigned", "signed for another build"])
def test_a_build_planted_under_an_input_is_not_followed(how: str, make_project: MakeProject, s3: S3) -> None:
    """Whoever can write the bucket names a build of their own as that of the input about to be released."""
    bucket, target = s3.bucket(), make_project({"a.txt": "1"}, folder="target")
    own = build(target).manifest
    digest = own.input
    planted = build(make_project({"a.txt": "evil"}, folder="planted")).manifest
    changes = {} if how == "another input" else {"input": digest}
    changes |= {"app": "other"} if how == "another app" else {}
    content = {**planted.model_dump(mode="json"), **changes}
    content["id"] = manifest_id(content)
    bucket.put_json(f"builds/{content['id']}.json", content)
    for layer in planted.layers:
        bucket.put_file(layer.key, cache.layer_path(layer.digest))
    signer, signature = ("", "") if how == "unsigned" else sign(input_statement(planted))
    entry = {"build": content["id"], "signer": signer, "signature": signature}
    bucket.put_json(input_key(digest), entry)
    found = build(target, bucket=bucket, trusts=trusts)
    assert (found.origin, found.manifest.id) == ("cache", own.id)


def test_a_build_is_not_looked_up_where_no_signer_is_known(make_project: MakeProject, s3: S3) -> None:
    bucket, project = s3.bucket(), make_project({"a.txt": "1"})
    publish(build(project), bucket, sign=sign)
    assert build(project, bucket=bucket).origin == "cache"


def test_a_manifest_under_the_name_of_another_is_refused(make_project: MakeProject, s3: S3) -> None:
    bucket = s3.bucket()
    made, other = (build(make_project({"a.txt": text}, folder=text)).manifest for text in ("1", "2"))
    bucket.put_json(made.key, other.model_dump(mode="json"))
    with pytest.raises(BadInput, match="holds build"):
        load_manifest(bucket, made.id)

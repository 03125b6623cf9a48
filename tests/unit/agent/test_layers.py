import hashlib
import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from hosts.agent import builds, layers, tree
from hosts.agent.errors import AgentError
from hosts.agent.host import Builds, Paths
from hosts.agent.json_object import JsonObject
from hosts.agent.layers import unpack
from hosts.agent.sigv4 import Credentials, Signed

pytestmark = pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return subprocess.run(["zstd", "-qc"], input=buffer.getvalue(), capture_output=True, check=True).stdout


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.gid = mode, 1234, 1234
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def special(name: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info, b""


@pytest.mark.parametrize(
    "members",
    [
        [file("/etc/evil")],
        [file("../evil")],
        [file("a/../../evil")],
        [link("a", "/etc/passwd")],
        [link("a", "../outside")],
        [link("d/a", "../../outside")],
        [link("y", "."), link("d/x", "y/../..")],
        [link("d", "/tmp"), file("d/evil")],
        [file("a"), link("b", "/etc/passwd", tarfile.LNKTYPE)],
        [file("a"), link("b", "../../etc/passwd", tarfile.LNKTYPE)],
        [special("pipe", tarfile.FIFOTYPE)],
    ],
    ids=lambda members: "+".join(f"{info.name}>{info.linkname}" for info, _ in members),
)
def test_a_layer_that_reaches_outside_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
):
    (tmp_path / "in").mkdir()
    (tmp_path / "layer").write_bytes(archive(file("ok"), *members))
    before = Path("/etc/passwd").stat().st_nlink
    with pytest.raises(AgentError) as refused:
        unpack(str(tmp_path / "layer"), str(tmp_path / "in/root"), 10_000)
    assert refused.value.code == "bad_layer"
    assert not [path for path in tmp_path.rglob("evil") if tmp_path / "in/root" not in path.parents]
    assert not Path("/tmp/evil").exists()
    assert not Path("/etc/evil").exists()
    assert Path("/etc/passwd").stat().st_nlink == before


def test_what_package_managers_link_is_allowed_and_modes_are_made_safe(tmp_path: Path):
    members = [file("node_modules/tool/cli.js", mode=0o6777)]
    members += [
        link("node_modules/.bin/tool", "../tool/cli.js"),
        link("here", "node_modules"),
        link("self", "."),
    ]
    (tmp_path / "layer").write_bytes(archive(*members))
    unpack(str(tmp_path / "layer"), str(tmp_path / "root"), 10_000)
    unpacked = tmp_path / "root/node_modules/.bin/tool"
    assert unpacked.read_bytes() == b"x"
    stat = unpacked.resolve().stat()
    assert (stat.st_mode & 0o7777, stat.st_uid) == (0o755, Path(tmp_path).stat().st_uid)


@pytest.mark.parametrize("content", [b"not zstd at all", archive(file("a", b"x" * 99))[:40]])
def test_bytes_that_are_no_archive_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "layer").write_bytes(content)
    with pytest.raises(AgentError, match="cannot unpack"):
        unpack(str(tmp_path / "layer"), str(tmp_path / "root"), 10_000)


@pytest.fixture
def bucket() -> Iterator[tuple[dict[str, bytes], Builds]]:
    """An S3 server that gives what it has been given."""
    objects: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = objects.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield (
        objects,
        Builds(JsonObject({"bucket": "b", "endpoint": f"http://127.0.0.1:{server.server_port}"}, "builds")),
    )
    server.shutdown()


def layer(content: bytes, claim: bytes | None = None, kind: str = "app", size: int = 10_000) -> layers.Layer:
    digest = "sha256:" + hashlib.sha256(content if claim is None else claim).hexdigest()
    return layers.Layer(
        JsonObject({"kind": kind, "digest": digest, "size": size, "unpacked_size": size}, "layer")
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(str(tmp_path))
    Path(made.srv).mkdir(parents=True)
    return made


def test_layers_are_fetched_once(paths: Paths, bucket: tuple[dict[str, bytes], Builds]):
    objects, builds = bucket
    content = archive(file("app.js", b"code"))
    objects[f"/b/{layer(content).key}"] = content
    first = layers.fetch(paths, builds, [layer(content)])
    assert (first.downloaded, first.reused) == ([layer(content).digest], [])
    objects.clear()
    second = layers.fetch(paths, builds, [layer(content)])
    assert (second.downloaded, second.reused) == ([], [layer(content).digest])
    assert not list(Path(paths.work).iterdir())


def test_a_kept_layer_that_was_changed_is_fetched_again(
    paths: Paths, bucket: tuple[dict[str, bytes], Builds]
):
    objects, builds = bucket
    content = archive(file("app.js", b"code"))
    objects[f"/b/{layer(content).key}"] = content
    layers.fetch(paths, builds, [layer(content)])
    kept = Path(paths.layer(layer(content).digest), "root", "app.js")
    kept.write_bytes(b"evil")
    again = layers.fetch(paths, builds, [layer(content)])
    assert (again.altered, again.downloaded) == (["app.js"], [layer(content).digest])
    assert kept.read_bytes() == b"code"
    assert layers.fetch(paths, builds, [layer(content)]).downloaded == []


def test_a_corrupt_layer_is_refused_with_both_digests_and_never_unpacked(
    paths: Paths, bucket: tuple[dict[str, bytes], Builds]
):
    objects, builds = bucket
    wanted = layer(b"what was published")
    objects[f"/b/{wanted.key}"] = archive(file("app.js", b"something else"))
    with pytest.raises(AgentError) as refused:
        layers.fetch(paths, builds, [wanted])
    assert refused.value.code == "corrupt_layer"
    assert refused.value.detail["digest"] == wanted.digest
    assert refused.value.detail["got"] != wanted.digest
    assert not layers.present(paths, wanted.digest)
    assert not list(Path(paths.work).iterdir())


def test_a_layer_without_its_marker_is_fetched_again(paths: Paths, bucket: tuple[dict[str, bytes], Builds]):
    objects, builds = bucket
    content = archive(file("app.js", b"code"))
    objects[f"/b/{layer(content).key}"] = content
    Path(paths.layer(layer(content).digest), "root").mkdir(parents=True)
    assert layers.fetch(paths, builds, [layer(content)]).downloaded
    assert Path(paths.layer(layer(content).digest), "root/app.js").read_bytes() == b"code"


def test_a_missing_layer_and_a_bucket_that_is_away_are_told_apart(
    paths: Paths, bucket: tuple[dict[str, bytes], Builds]
):
    _, builds = bucket
    with pytest.raises(AgentError) as missing:
        layers.fetch(paths, builds, [layer(b"x")])
    assert missing.value.code == "layer_missing"
    away = Builds(JsonObject({"bucket": "b", "endpoint": "http://127.0.0.1:9"}, "builds"))
    with pytest.raises(AgentError) as unreachable:
        layers.fetch(paths, away, [layer(b"x")])
    assert unreachable.value.code == "builds_unreachable"


def test_a_disk_that_is_too_small_is_told_in_numbers_before_any_download(
    paths: Paths, bucket: tuple[dict[str, bytes], Builds]
):
    with pytest.raises(AgentError) as refused:
        layers.fetch(paths, bucket[1], [layer(b"x", size=10**15)])
    assert refused.value.code == "disk_full"
    assert refused.value.detail["needs"] == 2 * 10**15 + layers.MARGIN


def test_requests_are_signed_as_botocore_signs_them():
    path = "/b/layers/sha256-ab.tar.zst"
    signed = Signed("s3", "eu-central-1", "GET", path)
    ours = signed.sign(Credentials("AKID", "secret/+", "tok"), "aws.example", 1_700_000_000)
    request = botocore.awsrequest.AWSRequest("GET", f"https://aws.example{path}")
    request.context["timestamp"] = "20231114T221320Z"
    signer = botocore.auth.S3SigV4Auth(
        botocore.credentials.Credentials("AKID", "secret/+", "tok"), "s3", "eu-central-1"
    )
    request.headers["X-Amz-Date"] = "20231114T221320Z"
    request.headers["X-Amz-Security-Token"] = "tok"
    request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["Authorization"].endswith(f"Signature={signature}")


Lay = Callable[[str, dict[str, str]], str]


@pytest.fixture
def lay(paths: Paths) -> Lay:
    def make(name: str, files: dict[str, str]) -> str:
        digest = "sha256:" + name * 64
        for path, content in files.items():
            to = Path(paths.layer(digest), "root", path)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.symlink_to(content[1:]) if content.startswith("@") else to.write_text(content)
        tree.record(f"{paths.layer(digest)}/root", f"{paths.layer(digest)}/tree")
        Path(paths.layer(digest), "complete").touch()
        return digest

    return make


def test_layers_are_laid_over_each_other_without_taking_disk(paths: Paths, lay: Lay):
    digests = [
        lay("a", {".runtime/bin/bun": "bun", "shared/x": "from a"}),
        lay("b", {"node_modules/m/i.js": "m", "node_modules/.bin/m": "@../m/i.js", "shared/y": "y"}),
        lay("c", {"src/app.js": "app", "shared/x": "from c"}),
    ]
    assert builds.lay_out(paths, "b1", digests) == []
    root = Path(paths.build("b1"))
    assert (root / "shared/x").read_text() == "from c"
    assert (root / "node_modules/.bin/m").read_text() == "m"
    assert (root / "src/app.js").samefile(Path(paths.layer(digests[2]), "root/src/app.js"))
    assert Path(paths.layer(digests[0]), "root/shared/x").read_text() == "from a"
    assert builds.lay_out(paths, "b1", digests) == []


def test_a_file_where_another_layer_has_a_folder_is_refused_and_leaves_nothing(paths: Paths, lay: Lay):
    for over, under in (
        ({"x": "file"}, {"x/y": "z"}),
        ({"x/y": "z"}, {"x": "file"}),
        ({"x/y": "z"}, {"x": "@d", "d/f": ""}),
    ):
        shutil.rmtree(paths.layers, ignore_errors=True)
        with pytest.raises(AgentError, match="is a folder in one layer"):
            builds.lay_out(paths, "b1", [lay("a", under), lay("b", over)])
        assert not Path(paths.build("b1")).exists()
        assert not list(Path(paths.work).iterdir())


@pytest.fixture
def kept(paths: Paths, lay: Lay) -> Path:
    """A build of two layers that this host keeps."""
    digests = [
        lay(
            "a", {".runtime/bin/bun": "bun", "node_modules/m/i.js": "m", "node_modules/.bin/m": "@../m/i.js"}
        ),
        lay("b", {"src/app.js": "app", "package.json": "{}"}),
    ]
    builds.lay_out(paths, "b1", digests)
    Path(paths.build("b1") + ".layers").write_text("".join(f"{digest}\n" for digest in digests))
    assert builds.altered(paths, "b1") == []
    return Path(paths.build("b1"))


def digests_of(paths: Paths) -> list[str]:
    return Path(paths.build("b1") + ".layers").read_text().split()


def replace_file(path: Path, text: str) -> None:
    """As `sed -i` and editors do: another file takes the name."""
    path.with_name("new").write_text(text)
    path.with_name("new").rename(path)


def replace_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


REPLACED: dict[str, Callable[[Path], object]] = {
    "src/app.js": lambda root: replace_file(root / "src/app.js", "evil"),
    "package.json": lambda root: (root / "package.json").unlink(),
    "src/added.js": lambda root: (root / "src/added.js").write_text("evil"),
    "node_modules/.bin/m": lambda root: replace_link(root / "node_modules/.bin/m", "../../src/app.js"),
    "extra": lambda root: (root / "extra").mkdir(),
}


@pytest.mark.parametrize("name", REPLACED)
def test_what_differs_from_the_layers_in_a_kept_build_is_found_and_linked_again(
    paths: Paths, kept: Path, name: str
):
    REPLACED[name](kept)
    assert builds.altered(paths, "b1") == [name]
    assert builds.lay_out(paths, "b1", digests_of(paths)) == [name]
    assert builds.altered(paths, "b1") == []
    assert (kept / "src/app.js").read_text() == "app"


@pytest.mark.parametrize("keeps_time", [False, True], ids=["changed", "changed, with its old time and size"])
def test_a_file_changed_in_place_condemns_its_layer_too(paths: Paths, kept: Path, keeps_time: bool):
    file = kept / "src/app.js"
    before = file.stat()
    time.sleep(0.02)  # the clock of the file system is coarse
    with file.open("r+") as content:
        content.write("APP")
    if keeps_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert builds.altered(paths, "b1") == ["src/app.js"]
    assert layers.altered(paths, digests_of(paths)[1]) == ["src/app.js"]


def test_links_that_other_builds_make_and_lose_cost_no_reading(
    paths: Paths, kept: Path, monkeypatch: pytest.MonkeyPatch
):
    builds.lay_out(paths, "b2", digests_of(paths))

    def read(path: str) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(tree, "_digest", read)
    assert builds.altered(paths, "b1") == []
    shutil.rmtree(paths.build("b2"))
    assert builds.altered(paths, "b1") == []


def test_a_layer_without_a_record_of_its_files_counts_as_missing_and_not_as_changed(paths: Paths, kept: Path):
    """An older agent unpacked it."""
    Path(paths.layer(digests_of(paths)[0]), "tree").unlink()
    assert not layers.present(paths, digests_of(paths)[0])
    assert builds.altered(paths, "b1") == []


def test_a_record_that_cannot_be_read_is_a_change(paths: Paths, kept: Path):
    Path(paths.layer(digests_of(paths)[0]), "tree").write_text("{")
    assert builds.altered(paths, "b1") == ["the record of the layer's files"]


def test_zeroes_behind_the_archives_end_are_no_failure(tmp_path: Path) -> None:
    """tar ends at the archive's end, with zstd still writing: seen on hosts as `zstd ended with -9`."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "a").write_text("x")
    tar = subprocess.run(["tar", "-c", "-C", str(tmp_path / "content"), "."], capture_output=True, check=True)
    padded = tar.stdout + bytes(600_000)
    packed = subprocess.run(["zstd", "-q"], input=padded, capture_output=True, check=True)
    (tmp_path / "layer").write_bytes(packed.stdout)
    layers.unpack(str(tmp_path / "layer"), str(tmp_path / "root"), 1)
    assert (tmp_path / "root" / "a").read_text() == "x"

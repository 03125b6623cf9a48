"""A live site for a test: its project, its source, its hosts, and ways to trouble it that are taken back."""

import csv
import io
import shutil
import ssl
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from slipway.settings import Outputs, Project, open_project
from slipway.stack import LiveStack
from slipway.storage.lease import lease_key
from tests.fleet.command import Ran, slipway
from tests.fleet.sabotage import Sabotage

FORGET_JOURNAL = "journalctl -q --rotate; journalctl -q --vacuum-size=1"
"""A host's command after a test that had secrets logged: checks would rightly find them."""
READY = """
curl --silent --show-error --max-time 20 http://127.0.0.1:8080/-/slipway/ready 2>&1; echo
systemctl list-units --state=failed,activating --plain --no-legend
"""
STATS = "echo show stat | socat - /run/haproxy/admin.sock"


class Site:
    """One project whose stack `local` is up and has a live release."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def project(self) -> Project:
        return open_project("local", self.root)

    @cached_property
    def app(self) -> Path:
        return self.project.app_dir

    @cached_property
    def outputs(self) -> Outputs:
        return LiveStack(self.project).outputs

    @cached_property
    def client(self) -> httpx.Client:
        """Past the limits, which a whole run of tests from one address would meet."""
        return self.stranger(**{"X-Slipway-Load": LiveStack(self.project).secrets["SLIPWAY_LOAD_KEY"]})

    def stranger(self, **headers: str) -> httpx.Client:
        """A client that the edge knows nothing of."""
        context = ssl.create_default_context(cafile=self.outputs.ca_file)
        return httpx.Client(base_url=self.outputs.url, verify=context, timeout=10, headers=headers)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def health(self) -> dict[str, Any]:
        return self.get("/health").raise_for_status().json()

    def live(self) -> int:
        return self.health()["release"]

    def change(self, text: str) -> None:
        """Change the app in a way that makes another build."""
        (self.app / "public" / "note.txt").write_text(f"{text} {time.time_ns()}\n")

    def release(self, *args: str) -> Ran:
        ran = slipway(self.root, "release", "--json", "--observe", "0", "--no-checks", *args)
        assert ran.code == 0, ran.out + ran.err
        return ran

    @contextmanager
    def kept_source(self) -> Generator[None]:
        """Whatever is done to the source and the stack's settings inside is taken back."""
        kept = self.root.parent / f"{self.root.name}-kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.app, kept, symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
        settings = {path: path.read_text() for path in self.root.glob("Pulumi*.yaml")}
        try:
            yield
        finally:
            for path in self.app.iterdir():
                if path.name == "node_modules":
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copytree(kept, self.app, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(kept)
            for path, text in settings.items():
                path.write_text(text)

    @contextmanager
    def sabotaged(self, sabotage: Sabotage) -> Generator[None]:
        with self.kept_source():
            sabotage.apply(self.app)
            yield

    def override_env(self, name: str, value: str) -> None:
        path = self.root / "Pulumi.local.yaml"
        path.write_text(path.read_text().rstrip() + f'\n  slipway:env:\n    {name}: "{value}"\n')

    # hosts

    def container(self, host: str) -> str:
        return f"{self.project.fleet_id}-{host}"

    def docker(self, *args: str) -> str:
        # A file that a host shows may be none of text.
        return subprocess.run(
            ["docker", *args], check=True, capture_output=True, text=True, errors="replace"
        ).stdout

    def on(self, host: str, script: str) -> str:
        return self.docker("exec", self.container(host), "sh", "-c", script)

    @contextmanager
    def host_down(self, host: str) -> Generator[None]:
        self.docker("stop", "-t", "5", self.container(host))
        try:
            yield
        finally:
            self.docker("start", self.container(host))
            self.wait_until_healthy()

    @contextmanager
    def full_disk(self, host: str) -> Generator[None]:
        """The host's releases lie on a small file system that is full."""
        with self.small_disk(host):
            self.fill_disk(host)
            yield

    @contextmanager
    def small_disk(self, host: str, megabytes: int = 700) -> Generator[None]:
        """The host's releases lie on a file system of that size."""
        self.on(host, f"mkdir -p /mnt/small && mount -t tmpfs -o size={megabytes}m tmpfs /mnt/small")
        self.on(host, "cp -a /srv/slipway/. /mnt/small/ && mount --bind /mnt/small /srv/slipway")
        try:
            yield
        finally:
            self.on(host, "umount /srv/slipway; umount /mnt/small")

    def fill_disk(self, host: str) -> None:
        """Leave no room on a small disk."""
        self.on(host, "head -c 2G /dev/zero > /srv/slipway/filler 2>/dev/null || true")

    def wait_until_healthy(self, seconds: float = 60) -> None:
        """Every host answers, by its own name."""
        ends = time.monotonic() + seconds
        wanted = {host.name for host in self.outputs.by_role("web")}
        seen: set[str] = set()
        problem = ""
        while time.monotonic() < ends:
            try:
                seen |= {self._served_by(host) for host in wanted}
                if seen >= wanted:
                    return
            except (httpx.HTTPError, AssertionError) as failure:
                problem = str(failure)
            time.sleep(0.5)
        away = "; ".join(self._seen_on(host) for host in sorted(wanted - seen))
        raise AssertionError(f"not back within {seconds} s: {away}; {' '.join(problem.split())}")

    def _seen_on(self, host: str) -> str:
        """What the host answers to the edge's check, what has failed there, and what the edge makes of it."""
        own, table = self._ask(host, READY), self._ask("edge", STATS)
        rows = csv.DictReader(io.StringIO(table.removeprefix("# ")))
        row = next((row for row in rows if (row["pxname"], row["svname"]) == ("web", host)), None)
        edge = row and {name: row.get(name) for name in ("status", "lastchg", "check_status", "check_code")}
        return f"{host} says {' '.join(own.split())}, its edge {edge}"

    def _ask(self, host: str, script: str) -> str:
        try:
            return self.on(host, script)
        except subprocess.CalledProcessError as failure:
            return f"{failure.stdout}{failure.stderr}"

    def _served_by(self, host: str) -> str:
        answer = self.get("/health", headers={"Cookie": f"SLIPWAY_HOST={host}"})
        assert answer.status_code == 200, answer.text
        return answer.headers.get("X-Served-By", "")

    def wait_until_worker_runs(self, release: int, seconds: float = 60) -> None:
        """Every worker host has the release's worker processes running."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            # Without the bucket, which a restarted data host serves in its own time, there is no status.
            hosts = slipway(self.root, "status", "--json").json.get("hosts", [])
            workers = [host["active"] for host in hosts if host["role"] == "worker"]
            if workers and all(
                active and active["release"] == release and active["running"] for active in workers
            ):
                return
            time.sleep(1)
        raise AssertionError(f"release {release} does not run on every worker")

    # a release under way

    def wait_for_lease(self, seconds: float = 20) -> str:
        """Who holds the lease, as soon as someone does."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            lease = slipway(self.root, "status", "--json").json["lease"]
            if lease:
                return str(lease["owner"])
            time.sleep(0.2)
        raise AssertionError("nobody took the lease")

    def end_lease(self) -> None:
        """As if half a minute had gone by since the command that holds it was killed."""
        bucket = LiveStack(self.project).bucket
        key = lease_key(self.project.stack.name)
        found = bucket.get_json(key)
        assert found, "nobody holds the lease"
        bucket.put_json(key, {**found[0], "expires": 0})

    def wait_for_phase(self, running: "subprocess.Popen[str]", phase: str, seconds: float = 120) -> None:
        """Until the command tells that it has begun the phase."""
        assert running.stderr is not None
        ends = time.monotonic() + seconds
        told: list[str] = []
        while time.monotonic() < ends:
            line = running.stderr.readline()
            if not line:
                break
            told.append(line)
            if line.split("] ", 1)[-1].split()[:1] == [phase]:
                return
        raise AssertionError(f"the command never came to {phase}:\n{''.join(told)}")

    # the builds bucket

    def publish_then_corrupt_the_app_layer(self) -> str:
        """Build and upload what the next release would ship; then flip a byte of its app layer."""
        from slipway.build.build import build, publish  # noqa: PLC0415

        opened = LiveStack(self.project)
        made = build(self.project, bucket=opened.bucket, trusts=opened.signing.trusts_build)
        publish(made, opened.bucket, sign=opened.signing.build)
        layer = next(layer for layer in made.manifest.layers if layer.kind == "app")
        file = self.root.parent / "layer.tar.zst"
        opened.bucket.get_file(layer.key, file)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
        opened.bucket.put_file(layer.key, file)
        return layer.digest

    def heal_layer(self, digest: str) -> None:
        """Take the corrupt layer out, so that the next publish uploads it anew."""
        opened = LiveStack(self.project)
        opened.bucket.delete(f"layers/{digest.replace(':', '-')}.tar.zst")
        for key in list(opened.bucket.list("inputs/")):
            opened.bucket.delete(key)

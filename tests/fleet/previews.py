"""A host that carries previews, as its owner and its users see it, and what a preview could leave there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from slipway.platforms.local.docker import Docker
from slipway.stack import open_live
from slipway.storage.bucket import Bucket
from tests.fleet.command import Ran, slipway

FOLDERS = "/etc /srv /var/lib/slipway /var/lib/redis /var/lib/versitygw /var/cache /run/slipway /run/systemd"
NOT_LEFT = (
    "/invocation:|/run/systemd/(journal|sessions|users|inaccessible|propagate|transient|units)|/versitygw/data"
    "|previews.lock"
)
"""What systemd and the fleet's own services write while they work; the bucket is listed by its keys."""
PREVIEW_UNITS = "grep -E 'pv[0-9]|preview-' || true"
MAPS = "/etc/haproxy/previews.map /etc/haproxy/preview-uploads.map"
DATABASE_NAMES = (
    "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"
    " UNION SELECT pg_get_userbyid(member) || ' in ' || pg_get_userbyid(roleid) FROM pg_auth_members"
)


@dataclass
class Previews:
    """A project whose stack carries previews and is up, and the container that is its host."""

    root: Path
    stack: str
    domain: str
    container: str
    address: str
    """Of the edge: `host:port`."""
    env: dict[str, str] = field(default_factory=dict[str, str])
    """By which its owner works."""

    def run(self, *args: str) -> Ran:
        return slipway(
            self.root, "preview", *args, "--stack", self.stack, "--json", timeout=600, env=self.env
        )

    def done(self, *args: str) -> Any:
        """What `slipway preview …` answers."""
        ran = self.run(*args)
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    def on(self, script: str) -> str:
        return Docker().execute(self.container, script).strip()

    def env_of(self, name: str, process: str = "web") -> dict[str, str]:
        """The env of a running process of a preview."""
        unit = self.on(f"ls /etc/systemd/system | grep -E '^slipway-pv[0-9]+-{process}@{name}-1.service$'")
        script = f"tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID {unit})/environ"
        return dict(line.split("=", 1) for line in self.on(script).splitlines() if "=" in line)

    def get(self, name: str, path: str = "/health") -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self.root / f".slipway/{self.stack}/tls/ca.pem"))
        host = f"{name}.{self.domain}"
        with httpx.Client(verify=context) as client:
            request = client.build_request("GET", f"https://{self.address}{path}", headers={"Host": host})
            request.extensions["sni_hostname"] = host
            return client.send(request)

    @property
    def bucket(self) -> Bucket:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            for name, value in self.env.items():
                patch.setenv(name, value)
            return open_live(self.stack).bucket

    def everything(self) -> dict[str, set[str]]:
        """What a preview could leave, by kind."""
        kinds = "-type f -o -type l"
        said = {
            "files": f"find {FOLDERS} -xdev \\( {kinds} \\) -printf '%p\\n' | grep -vE '{NOT_LEFT}'",
            "accounts": "cut -d: -f1 /etc/passwd /etc/group",
            "database": f'runuser -u postgres -- psql -XAtc "{DATABASE_NAMES}"',
            "units": f"systemctl list-units --all --plain --no-legend | awk '{{print $1}}' | {PREVIEW_UNITS}",
            "ports": "ss -Hltn | awk '{print $4}'",
            "proxy": f"for map in {MAPS}; do cat $map; echo show map $map | socat - /run/haproxy/admin.sock"
            " | cut -d' ' -f2; done",
        }
        found = {kind: {*self.on(script).split("\n")} - {""} for kind, script in said.items()}
        bucket = self.bucket
        keys = {key for prefix in ("builds/", "inputs/", "layers/", "stacks/") for key in bucket.list(prefix)}
        return {**found, "bucket": {key for key in keys if not key.endswith("lease.json")}}

    def left_since(self, before: dict[str, set[str]]) -> dict[str, set[str]]:
        """By kind, what there is now and was not then."""
        now = self.everything()
        return {kind: left for kind in before if (left := now[kind] - before[kind])}

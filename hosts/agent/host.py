"""Who this host is (/etc/slipway/host.json) and where the agent keeps its files."""

from __future__ import annotations

import os

from . import durable
from .errors import AgentError
from .json_object import JsonObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .imds import Imds
    from .sigv4 import Credentials


class Paths:
    """Absolute paths; `root` is "" on a host and a temporary folder in tests."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.etc = f"{root}/etc/slipway"
        self.host = f"{self.etc}/host.json"
        self.ca = f"{self.etc}/ca.pem"
        self.signers = f"{self.etc}/signers"
        self.endpoints = f"{self.etc}/endpoints.json"
        self.host_key = f"{root}/etc/ssh/ssh_host_ed25519_key.pub"
        self.setup_digest = f"{self.etc}/setup.digest"
        self.env = f"{self.etc}/env"
        self.units = f"{root}/etc/systemd/system"
        self.lib = f"{root}/var/lib/slipway"
        self.state = f"{self.lib}/state.json"
        self.lock = f"{self.lib}/lock"
        self.srv = f"{root}/srv/slipway"
        self.layers = f"{self.srv}/layers"
        self.builds = f"{self.srv}/builds"
        self.slots = f"{self.srv}/slots"
        self.work = f"{self.srv}/unfinished"
        self.homes = f"{root}/var/cache/slipway-home"
        self.run = f"{root}/run/slipway"
        self.app_token = f"{self.lib}/app-credentials.token"
        self.cron_runs = f"{self.lib}/cron"
        """Last run of each cron entry."""
        self.cron_lease = f"{self.run}/cron-owner.json"
        self.map = f"{root}/etc/haproxy/slots.map"
        self.haproxy = f"{root}/run/haproxy/admin.sock"
        self.site_pem = f"{root}/etc/haproxy/site.pem"
        self.acme_pem = f"{root}/etc/haproxy/acme.pem"
        self.acme = f"{self.etc}/acme.json"
        self.acme_key = f"{self.etc}/acme.key"
        self.acme_roots = f"{self.etc}/acme-roots.pem"
        self.acme_token = f"{self.etc}/acme-cloudflare.token"
        self.certificate = f"{self.lib}/certificate"
        """What an edge was issued by ACME, and how its last attempt ended."""
        self.live_port = 8080
        self.candidate_port = 8081

    def env_file(self, slot: str, scope: str) -> str:
        """The 0600 environment file of a process or scope in `slot`."""
        return f"{self.env}/{slot}/{scope}.env"

    def slot(self, slot: str) -> str:
        """The symlink to the build that `slot` runs."""
        return f"{self.slots}/{slot}"

    def build(self, build: str) -> str:
        """The merged tree of a build."""
        return f"{self.builds}/{build}"

    def layer(self, digest: str) -> str:
        """A layer's folder: `root/` (its tree) and `complete` (the marker that makes it trusted)."""
        return f"{self.layers}/{digest.removeprefix('sha256:')}"

    def unit(self, unit: str) -> str:
        return f"{self.units}/{unit}"


def endpoints(paths: Paths) -> dict[str, str]:
    """Endpoints of AWS services that differ from the default, by name (/etc/slipway/endpoints.json)."""
    return JsonObject.parse(durable.read(paths.endpoints) or b"", "endpoints.json").strings("endpoints")


class Builds:
    """The builds bucket and the hosts' read-only account for it; without a key, the instance's role."""

    def __init__(self, fields: JsonObject, imds: Callable[[], Imds] | None = None) -> None:
        import threading

        self.bucket = fields.text("bucket")
        self.region = fields.text("region", "us-east-1")
        self.endpoint = fields.text("endpoint", f"https://s3.{self.region}.amazonaws.com")
        self.access_key = fields.text("access_key", "")
        self.secret_key = fields.text("secret_key", "")
        self.session_token = fields.text("session_token", "")
        self._find_imds = imds
        self._imds: Imds | None = None
        self._finding = threading.Lock()

    def credentials(self) -> Credentials:
        """The account that reads. Call it for every request, because a role's credentials expire."""
        from .sigv4 import Credentials

        if self.access_key or self._find_imds is None:
            return Credentials(self.access_key, self.secret_key, self.session_token)
        with self._finding:
            self._imds = self._imds or self._find_imds()
            return self._imds.credentials()


class Host:
    """host.json: {app, host, role, stack, site, builds: {endpoint, bucket, region, …}, cloud?}."""

    def __init__(self, paths: Paths) -> None:
        content = durable.read(paths.host)
        if content is None:
            raise AgentError("not_set_up", f"{paths.host} is missing: run `slipway up`")
        fields = JsonObject.parse(content, "host.json")
        self._fields = fields
        self._paths = paths
        self.name = fields.text("host")
        self.role = fields.text("role")
        """Its roles, joined by +."""
        self.roles = self.role.split("+")
        self.app = fields.text("app", "")
        self.stack = fields.text("stack", "")
        self.fleet = fields.text("fleet", "")
        """Project and stack: what a release must be signed for."""
        self.group = f"{self.fleet}-{self.role}"
        """On AWS: the host's Auto Scaling group (slipway/settings/aws_names.py)."""
        self.site = fields.text("site", "localhost")
        """Host header of the site."""
        cloud = fields.section("cloud")
        self.region = cloud.text("region", "")
        self.boot_secret = cloud.text("boot_secret", "")
        """ARN of the boot document of the host's role; empty where there is no cloud."""
        self.log_group = cloud.text("log_group", "")
        """CloudWatch log group of the host's role."""
        self.app_role = cloud.text("app_role", "")
        """ARN of the role whose credentials the app gets; empty: it gets none."""
        self.serves = "web" in self.roles
        """Whether this host runs a HAProxy with the slot map."""

    @property
    def arch(self) -> str:
        """Which builds it can run, as they name it (slipway/build/runtime.py): `x64` or `arm64`."""
        machine = os.uname().machine
        return {"x86_64": "x64", "aarch64": "arm64"}.get(machine, machine)

    def builds(self) -> Builds:
        """The bucket from which layers are fetched."""
        return Builds(self._fields.section("builds"), self._own_imds if self.region else None)

    def _own_imds(self) -> Imds:
        from .imds import ENDPOINT, Imds

        return Imds(endpoints(self._paths).get("imds", ENDPOINT))

"""One stack's settings: the `slipway:` keys of `Pulumi.<stack>.yaml`, typed.

The same file is read by `pulumi up` and by slipway, so a stack has one place for its settings.
"""

from typing import Any, Literal, Self, cast

from pydantic import Field, model_validator

from slipway.settings.aws import Aws, Cloudflare, Purpose, with_defaults
from slipway.settings.debian import DEFAULT, RELEASES
from slipway.settings.outputs import Roles
from slipway.settings.platform_facts import PlatformFacts, PlatformName, facts_of
from slipway.settings.schema import AcmeEmail, Lines, Name, Setting

ACME_DIRECTORIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Authorities that the settings know by a word: URLs of their ACME directories."""


class Server(Setting):
    """One server of platform `servers`: a Debian machine that you rent, reached by ssh."""

    name: Name
    """Name of the host, unique in the stack."""
    roles: Roles = Field(alias="role")
    """Role in the fleet, or a list of those that share this server: `[edge, web, worker, data]`."""
    address: str
    """Private address, by which the fleet's other hosts reach it."""
    ssh: str
    """`user@host[:port]` for the operator."""
    host_key: str
    """`ssh-ed25519 AAAA…`: pinned, never learned on first use."""
    public: str = ""
    """Name or address by which the internet reaches an edge; empty: the host in `ssh`."""

    @property
    def ssh_user(self) -> str:
        """The user in `ssh`."""
        return self.ssh.partition("@")[0]

    @property
    def ssh_host(self) -> str:
        """The host in `ssh`."""
        return self.ssh.partition("@")[2].partition(":")[0]

    @property
    def ssh_port(self) -> int:
        """The port in `ssh`; 22 if it has none."""
        return int(self.ssh.partition("@")[2].partition(":")[2] or 22)


class Acme(Setting):
    """A certificate that browsers trust, which the edge gets and renews by itself; see docs/servers.md."""

    email: AcmeEmail
    """Where the authority writes to if something is wrong with the account."""
    server: str = "letsencrypt"
    """`letsencrypt`; `staging`, a rehearsal at Let's Encrypt whose certificate is not served; or the URL of
    the ACME directory of another authority. By naming it you accept its terms of service."""
    ca_certificates: str = ""
    """PEM file, relative to Pulumi.yaml: authorities to trust, for a `server` of your own."""
    challenge: Literal["http", "dns"] = "http"
    """How the names are proved: `http`, by an answer of the edge on port 80; `dns`, by a record that the edge
    makes at Cloudflare with the secret `ACME_CLOUDFLARE_TOKEN`, previews included, before DNS leads here."""

    @property
    def directory(self) -> str:
        """URL of the ACME directory."""
        return ACME_DIRECTORIES.get(self.server, self.server)

    @property
    def serve(self) -> bool:
        """Is the certificate for clients? No client trusts one of a rehearsal."""
        return self.directory != ACME_DIRECTORIES["staging"]


class LocalFleet(Setting):
    """The hosts on this machine: by default five."""

    https_port: int = Field(default=8443, ge=1, le=65535)
    """Port of the site on 127.0.0.1."""
    http_port: int = Field(default=8080, ge=1, le=65535)
    """Port that redirects HTTP to HTTPS."""
    uploads_port: int = Field(default=8444, ge=1, le=65535)
    """Port on which browsers reach the uploads bucket."""
    ssh_port: int = Field(default=2220, ge=1, le=65520)
    """First of the hosts' ssh ports on 127.0.0.1: edge, then the others."""
    web: int = Field(default=2, ge=1, le=16)
    """Number of web hosts."""
    worker: int = Field(default=1, ge=0, le=8)
    """Number of worker hosts."""
    one_host: bool = False
    """One host called `one`, with every role, instead of several."""
    image: str = RELEASES[DEFAULT].image
    """Image of the hosts: pulled if a registry answers, else made by debootstrap."""


class Retention(Setting):
    """How much is kept."""

    backups: int = Field(default=7, ge=1)
    """Number of database backups to keep."""


class Prove(Setting):
    """What must pass on live hosts after the switch, or the release goes back. See docs/load-tests.md."""

    checks: Literal["none", "low", "medium", "high", "critical"] = "none"
    """Checks of this severity and worse must pass (`slipway check`)."""
    load: Literal["none", "smoke", "expected", "stress", "soak", "spike", "storm"] = "none"
    """Profile of a load test that must pass (`slipway load`). Set here, it also runs on the stack `prod`."""
    load_seconds: float | None = Field(default=None, gt=0, le=3600)
    """Duration of that load test; default: what slipway.toml or the profile says."""

    @property
    def asks_nothing(self) -> bool:
        """Neither checks nor load."""
        return self.checks == "none" and self.load == "none"


class Stack(Setting):
    """`slipway:` settings of one stack."""

    name: Name
    project: str
    """The `name` of Pulumi.yaml; with the stack's name it identifies a fleet on one machine."""
    platform: PlatformName
    """Where the hosts live: containers on this machine, servers that you rent, or AWS."""
    purpose: Purpose = "preview"
    """Decides the defaults of `aws`; by default a stack named prod or production is `production`."""
    app: str = "."
    """Folder of the app's slipway.toml, relative to Pulumi.yaml."""
    domain: str = "localhost"
    """Domain name of the site."""
    database: Literal["postgres", "external", "none"] = "postgres"
    """`external`: a database of your own, whose URL and token are in the secret store."""
    redis: bool = True
    """Whether the platform provides Redis."""
    uploads: bool = True
    """Whether the platform provides an uploads bucket."""
    env: dict[str, Lines] = Field(default_factory=dict)
    """Overrides of `[env.NAME] value` for this stack."""
    previews: bool = False
    """Whether the stack carries previews (`slipway preview`), on one host. See docs/how-to/previews.md."""
    allow_dirty: bool = True
    """Whether a build may contain uncommitted changes."""
    unsandboxed_build: bool = False
    """Whether build commands run without a sandbox, and so can read all that the operator can."""
    local: LocalFleet = LocalFleet()
    """Platform `local` only; see below."""
    servers: list[Server] = Field(default_factory=list[Server])
    """Platform `servers` only; see below."""
    acme: Acme | None = None
    """Platform `servers` only: the edge's certificate comes by itself; see below."""
    retention: Retention = Retention()
    """See below."""
    prove: Prove = Prove()
    """See below."""
    aws: Aws | None = None
    """Platform `aws` only; see below."""
    cloudflare: Cloudflare | None = None
    """Platform `aws` only: Cloudflare in front; see below."""

    @property
    def fleet_id(self) -> str:
        """Identifies this fleet among all on one machine and in one account: `board-local`."""
        return f"{self.project}-{self.name}"

    @property
    def facts(self) -> PlatformFacts:
        """What is known about the stack's platform."""
        return facts_of(self.platform)

    @model_validator(mode="before")
    @classmethod
    def _by_purpose(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        settings = cast("dict[str, Any]", given)
        named = "production" if settings.get("name") in ("prod", "production") else "preview"
        purpose = settings.get("purpose", named)
        filled = {**settings, "purpose": purpose}
        if "aws" in settings and purpose in ("production", "preview"):
            filled["aws"] = with_defaults(settings["aws"], purpose, previews=settings.get("previews") is True)
        return filled

    @model_validator(mode="after")
    def _servers_fit(self) -> Self:
        if "servers" in self.facts.sections and not self.servers:
            raise ValueError("platform servers needs servers: name, role, address, ssh, host_key of each")
        names = [server.name for server in self.servers]
        if len(set(names)) != len(names):
            raise ValueError("two servers have the same name")
        return self

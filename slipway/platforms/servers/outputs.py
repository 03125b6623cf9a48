"""A stack of servers: its outputs, composed from the settings; and the files that ssh and TLS need."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.data_host import DataServices
from slipway.platforms.state_folder import keep_private
from slipway.secrets.store import SITE_CERTIFICATE
from slipway.settings import BadInput, Host, Outputs, Project, SecretStore, Server, Stack
from slipway.settings.outputs import LOOPBACK

KEY, KEY_FILE = "SLIPWAY_SSH_KEY", "SLIPWAY_SSH_KEY_FILE"
"""Environment variables: the text of the ssh key, or the path of its file."""

CA_CERTIFICATE = "PLATFORM_CA_CERTIFICATE"
CA_KEY = "PLATFORM_CA_KEY"
"""Entries of the secret store: the fleet's authority, which hosts trust."""
DATA_CERTIFICATE = "PLATFORM_DATA_CERTIFICATE"
"""Entry: the certificate of the data host's services, signed by the fleet's authority."""
WEB_CERTIFICATE = "PLATFORM_WEB_CERTIFICATE_"
"""Entries: the certificate of each web host, by which the edge knows it; the host's name follows."""
REDIS_CERTIFICATE = "PLATFORM_REDIS_CERTIFICATE_"
"""Entries: the certificate by which a host of the app is let in to Redis; the host's name follows."""
REDIS_IN_PLAIN = "PLATFORM_REDIS_IN_PLAIN"
"""Entry: there while hosts run releases of before Redis was reached by TLS only. Its value says nothing."""
FLEET_SITE = "PLATFORM_SITE_CERTIFICATE"
"""Entry: the site's certificate by the fleet's authority, used while there is no SITE_CERTIFICATE."""

ACME_ACCOUNT_KEY = "PLATFORM_ACME_ACCOUNT_KEY"
"""Entry: the private key of the account at the ACME authority, which every edge has."""


BOTH = "tls/site-ca.pem"
"""In the state folder: the site's authorities where its certificate comes by ACME, or brings its own."""


def web_certificate(host: str) -> str:
    """The entry of the web host called `host`."""
    return WEB_CERTIFICATE + host.upper().replace("-", "_")


def redis_certificate(host: str) -> str:
    """The entry of the host of the app called `host`."""
    return REDIS_CERTIFICATE + host.upper().replace("-", "_")


def secrets_file(project: Project) -> Path:
    """The stack's encrypted file, beside Pulumi.yaml: to be committed."""
    return project.root / "secrets" / f"{project.stack.name}.age"


def compose_outputs(stack: Stack, *, state_dir: Path, secrets: Path, public_site: bool) -> Outputs:
    """What the servers in `stack` promise to the pipeline.

    `secrets` is the stack's encrypted file. `public_site`: a public authority signed the site's certificate,
    so that the fleet's own counts for its services only.
    """
    data = next(server for server in stack.servers if "data" in server.roles)
    edge = next(server for server in stack.servers if "edge" in server.roles)
    services = DataServices(stack, data.name, data.address)
    ca_file = str(state_dir / "tls/ca.pem")
    # Until a certificate is issued, and after one has ended, the edge serves the fleet's own.
    site_ca = str(state_dir / BOTH) if stack.acme else ca_file
    return Outputs(
        stack=stack.name,
        platform="servers",
        url=f"https://{stack.domain}",
        connect=f"{edge.public or edge.ssh_host}:443",
        ca_file="" if public_site else site_ca,
        hosts=[_host(server) for server in stack.servers],
        ssh_config=str(state_dir / "ssh_config"),
        builds=services.builds(ca_file),
        uploads=services.uploads(f"https://{uploads_name(stack)}", ca_file),
        database=services.database(),
        redis=services.redis(LOOPBACK),
        secrets=SecretStore(kind="age", location=str(secrets)),
    )


def acme_roots(project: Project) -> str:
    """The text of the file of `slipway:acme`'s `ca_certificates`; empty without. BadInput if it is none."""
    named = project.stack.acme.ca_certificates if project.stack.acme else ""
    if not named:
        return ""
    try:
        text = (project.root / named).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"slipway:acme.ca_certificates: {named} cannot be read: {problem}") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise BadInput(f"slipway:acme.ca_certificates: {named} holds no certificate in PEM form")
    return text


def private_roots(pem: str) -> str:
    """Self-signed authorities after the first certificate, PEM: no public authority sends its own."""
    chain = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.S)[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata="\n".join(chain))
    except (ssl.SSLError, ValueError):  # there are none
        return ""
    found = zip(context.get_ca_certs(binary_form=True), context.get_ca_certs(), strict=True)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der, its in found if its["subject"] == its["issuer"])


def _both_authorities(project: Project, own: bytes) -> bytes:
    """What the site's certificate may be signed by: `own` authorities, and those that all trust."""
    import certifi  # noqa: PLC0415 - few stacks need it

    known = ssl.get_default_verify_paths().cafile or certifi.where()
    return own + (acme_roots(project).encode() or Path(known).read_bytes())


def uploads_name(stack: Stack) -> str:
    """The name that browsers upload to, on the site's own port."""
    return f"uploads.{stack.domain}"


def site_names(stack: Stack) -> list[str]:
    """The names that the site's certificate must be for; `*.` stands for every preview's."""
    own = [stack.domain, *([uploads_name(stack)] if stack.uploads else [])]
    return [*own, f"*.{stack.domain}"] if stack.previews else own


def _host(server: Server) -> Host:
    return Host(
        name=server.name,
        roles=server.roles,
        address=server.address,
        ssh_host=server.ssh_host,
        ssh_port=server.ssh_port,
        ssh_user=server.ssh_user,
        host_key=server.host_key,
    )


def open_outputs(project: Project, secrets: Mapping[str, str]) -> Outputs:
    """The outputs, with ssh_config, known_hosts and CA certificate in the state folder as they must be.

    A few milliseconds. BadInput: the stack was never brought up, or its secrets are not this version's.
    """
    outputs = lay_out(project, secrets)
    authority = secrets.get(CA_CERTIFICATE)
    if not authority:
        raise BadInput(
            f"stack {project.stack.name} is not up: its secret store has no {CA_CERTIFICATE}",
            remedy=f"slipway up --stack {project.stack.name}; then commit {outputs.secrets.location}",
        )
    own = authority.strip().encode() + b"\n"
    keep_private(project.state_dir / "tls/ca.pem", own)
    if outputs.ca_file.endswith(BOTH):
        roots = private_roots(secrets.get(SITE_CERTIFICATE, "")).encode() or own
        keep_private(project.state_dir / BOTH, _both_authorities(project, roots))
    return outputs


def lay_out(project: Project, secrets: Mapping[str, str]) -> Outputs:
    """The outputs, and ssh's files; all that `up` can have before the fleet has an authority."""
    outputs = compose_outputs(
        project.stack,
        state_dir=project.state_dir.resolve(),
        secrets=secrets_file(project),
        public_site=bool(secrets.get(SITE_CERTIFICATE)),
    )
    if private_roots(secrets.get(SITE_CERTIFICATE, "")):
        outputs = outputs.model_copy(update={"ca_file": str(project.state_dir.resolve() / BOTH)})
    write_ssh_config(outputs.hosts, project.state_dir.resolve(), ssh_identity(project.state_dir.resolve()))
    return outputs


def ssh_identity(state_dir: Path, env: Mapping[str, str] | None = None) -> Path | None:
    """The key's file: SLIPWAY_SSH_KEY (its text, kept in `state_dir` for ssh), else SLIPWAY_SSH_KEY_FILE.

    None: the keys of this person's agent and `~/.ssh`. BadInput, without the text, if it is no key.
    """
    env = os.environ if env is None else env
    if text := env.get(KEY, "").strip():
        if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in text:
            raise BadInput(f"{KEY} holds no private ssh key", remedy="it begins with -----BEGIN")
        file = state_dir / "ssh" / "key"
        keep_private(file, text.replace("\r\n", "\n").encode() + b"\n")
        return file
    if given := env.get(KEY_FILE, ""):
        file = Path(given).expanduser()
        if not file.is_file():
            raise BadInput(f"there is no ssh key {given} (from {KEY_FILE})")
        return file
    return None

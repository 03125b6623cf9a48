"""The fleet's own certificates, made by `up` and kept in the secret store, so that all have the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hosts.agent.certificate import SERVICE
from hosts.plan import Acme
from slipway.fleet.replies import Certificate
from slipway.platforms.authority import (
    Authority,
    ensure_leaf_pem,
    make_account_key,
    make_authority,
    thumbprint,
)
from slipway.platforms.servers.outputs import (
    ACME_ACCOUNT_KEY,
    CA_CERTIFICATE,
    CA_KEY,
    DATA_CERTIFICATE,
    FLEET_SITE,
    REDIS_CERTIFICATE,
    WEB_CERTIFICATE,
    acme_roots,
    redis_certificate,
    site_names,
    web_certificate,
)
from slipway.secrets.store import ACME_CLOUDFLARE_TOKEN, SITE_CERTIFICATE, SecretStore
from slipway.settings import BadInput, Project

OWN_CERTIFICATES = (CA_CERTIFICATE, DATA_CERTIFICATE, FLEET_SITE, REDIS_CERTIFICATE, WEB_CERTIFICATE)
LOOPBACK_NAMES = ("localhost", "127.0.0.1")
"""The operator reaches the data host's services through ssh, as 127.0.0.1."""


def ensure_certificates(store: SecretStore, project: Project) -> dict[str, str]:
    """All entries of the store. Certificates that are missing, end soon or have other names are replaced."""
    held = store.read()
    wanted = fleet_certificates(held, project)
    made = {name: value for name, value in wanted.items() if held.get(name) != value}
    store.update(made)
    return {**held, **made}


def fleet_certificates(held: Mapping[str, str], project: Project) -> dict[str, str]:
    """The fleet's own certificates as they shall be, by entry; `held` ones that are good stay."""
    authority = Authority(held.get(CA_CERTIFICATE, "").encode(), held.get(CA_KEY, "").encode())
    if not authority.is_good():
        authority = make_authority(project.fleet_id)
    data = next(server for server in project.stack.servers if "data" in server.roles)
    names = {DATA_CERTIFICATE: [data.name, data.address, *LOOPBACK_NAMES]}
    for server in project.stack.servers:
        if "web" in server.roles and server is not data:
            names[web_certificate(server.name)] = [server.name, server.address]
    if not held.get(SITE_CERTIFICATE):
        names[FLEET_SITE] = site_names(project.stack)
    clients: dict[str, list[str]] = {}
    for server in project.stack.servers:
        if project.stack.redis and {"web", "worker"} & {*server.roles} and server is not data:
            clients[redis_certificate(server.name)] = [server.name, server.address]
    account = {}
    if project.stack.acme:
        account = {ACME_ACCOUNT_KEY: held.get(ACME_ACCOUNT_KEY) or make_account_key().decode()}
    leaves = {
        entry: ensure_leaf_pem(held.get(entry, "").encode(), authority, hosts).decode()
        for entry, hosts in names.items()
    } | {
        entry: ensure_leaf_pem(held.get(entry, "").encode(), authority, hosts, client=True).decode()
        for entry, hosts in clients.items()
    }
    return {
        CA_CERTIFICATE: authority.certificate.decode(),
        CA_KEY: authority.key.decode(),
        **leaves,
        **account,
    }


def acme_of(project: Project, secrets: Mapping[str, str]) -> Acme | None:
    """How edges get the site's certificate by themselves; None if they do not, or a person provides one.

    BadInput: the file of `ca_certificates` is none, or DNS shall prove the names and there is no token.
    """
    settings, key = project.stack.acme, secrets.get(ACME_ACCOUNT_KEY)
    if settings is None or not key or secrets.get(SITE_CERTIFICATE):
        return None
    token = dns_token(project, secrets)
    return Acme(
        directory=settings.directory,
        email=settings.email,
        names=tuple(site_names(project.stack)),
        serve=settings.serve,
        account_key=key,
        thumbprint=thumbprint(key.encode()),
        roots=acme_roots(project),
        cloudflare_token=token,
    )


def dns_token(project: Project, secrets: Mapping[str, str]) -> str:
    """The token by which DNS proves the site's names; empty if HTTP does. BadInput: it is missing."""
    if project.stack.acme is None or project.stack.acme.challenge == "http" or secrets.get(SITE_CERTIFICATE):
        return ""
    if token := secrets.get(ACME_CLOUDFLARE_TOKEN, "").strip():
        return token
    raise BadInput(
        f"slipway:acme.challenge: dns needs the secret {ACME_CLOUDFLARE_TOKEN}",
        remedy=f"slipway secrets set {ACME_CLOUDFLARE_TOKEN} --stack {project.stack.name}: a token of"
        " Cloudflare with Zone:Read and DNS:Edit for the domain's zone",
    )


def about_issue(host: str, found: Certificate, now: datetime | None = None) -> tuple[bool, str, str]:
    """Whether all is well with what the edge `host` says of its certificate; what to say; and the remedy."""
    today = now or datetime.now(UTC)

    def day(seconds: float) -> str:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"

    names = " and ".join(found.names)
    has = f"{host} has no certificate for {names} yet"
    if found.ends is not None:
        left = (datetime.fromtimestamp(found.ends, UTC) - today).days
        has = f"{host} has a certificate for {names}, which ends in {left} days"
    if found.problem:
        asks = "every five minutes"
        if found.next and found.next > today.timestamp():
            asks = f"not before {day(found.next)}, because of the authority's limits"
        return False, f"{has}; ordering one failed: {found.problem}", f"{host} tries again {asks}"
    if found.ends is None:
        return False, f"{has}; none was ordered", f"journalctl -u {SERVICE} on {host} says why"
    if not found.serve:
        served = f"{has}; it is a rehearsal's, so the fleet's own is served"
        return False, served, "slipway:acme.server: letsencrypt, then slipway up"
    return True, f"{has} and is renewed by itself on {day(found.renews or found.ends)}", ""


WARN_DAYS = 30


def ending(held: Mapping[str, str], now: datetime | None = None) -> dict[str, int]:
    """By entry, the days that are left to the fleet's own certificates that end soon."""
    found: dict[str, int] = {}
    for entry, pem in held.items():
        if entry.startswith(OWN_CERTIFICATES) and pem:
            leaf = x509.load_pem_x509_certificate(pem.encode())
            days = (leaf.not_valid_after_utc - (now or datetime.now(UTC))).days
            found |= {entry: days} if days < WARN_DAYS else {}
    return found


@dataclass(frozen=True)
class SiteCertificate:
    """What is known of a site certificate that fits its site and its key."""

    ends: datetime
    has_chain: bool
    """Do intermediate certificates come with it?"""

    def warnings(self, now: datetime | None = None) -> list[str]:
        """What a person should know."""
        found: list[str] = []
        days = (self.ends - (now or datetime.now(UTC))).days
        if days < WARN_DAYS:
            found.append(f"{SITE_CERTIFICATE} ends in {days} days")
        if not self.has_chain:
            found.append(f"{SITE_CERTIFICATE} holds no chain: some clients will not trust the certificate")
        return found


def judge(pem: str, names: Sequence[str], stack: str) -> SiteCertificate:
    """BadInput, without any of `pem`, unless it holds a certificate for all `names`, now, with its key."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise _refused("holds no certificate in PEM form", stack) from None
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (TypeError, ValueError):
        raise _refused("holds no private key, or one with a passphrase", stack) from None
    site = certificates[0]
    if site.public_key() != key.public_key():
        if any(other.public_key() == key.public_key() for other in certificates[1:]):
            raise _refused("must begin with the site's own certificate, the chain after it", stack)
        raise _refused("holds a private key that is not its certificate's", stack)
    now = datetime.now(UTC)
    if site.not_valid_after_utc <= now:
        raise _refused(f"expired on {site.not_valid_after_utc:%Y-%m-%d}", stack)
    if site.not_valid_before_utc > now:
        raise _refused(f"is not valid before {site.not_valid_before_utc:%Y-%m-%d}", stack)
    its = _dns_names(site)
    missing = [name for name in names if not any(_covers(pattern, name) for pattern in its)]
    if missing:
        raise _refused(f"is for {', '.join(its) or 'no name'}, and not for {' and '.join(missing)}", stack)
    return SiteCertificate(site.not_valid_after_utc, len(certificates) > 1 or site.issuer == site.subject)


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)


def _covers(pattern: str, name: str) -> bool:
    """As browsers see it: a star is one whole label, the first."""
    pattern, name = pattern.lower(), name.lower()
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def _refused(problem: str, stack: str) -> BadInput:
    return BadInput(
        f"{SITE_CERTIFICATE} {problem}",
        remedy="certificate, chain and private key, in this order, in one file: "
        f"slipway secrets set {SITE_CERTIFICATE} --stack {stack} < site.pem",
    )

"""What a stack's hosts on AWS are to be set up with, and the digest by which one is known to be so."""

import json
import os
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import botocore

from hosts.kit.archive import PYTHON_INDEX, PythonArchives, kit_digest, kit_objects, make, python_objects
from hosts.kit.python_packages import build_all, packages_digest
from hosts.plan import SETUP_DIGEST, FleetPlan, LoadBalancer
from slipway.fleet.fleet import Fleet, FleetHost
from slipway.platforms.aws.open import builds_bucket
from slipway.platforms.aws.session import session_of
from slipway.platforms.state_folder import keep_private
from slipway.progress import Progress
from slipway.secrets.signing import signers
from slipway.settings import BadInput, Outputs, Project, Role, SlipwayError
from slipway.settings.aws_names import SETUP_KITS
from slipway.storage.bucket import Bucket

ROLES: tuple[Role, ...] = ("web", "worker")


def fleet_plan(project: Project, outputs: Outputs, secrets: Mapping[str, str], ca_file: Path) -> FleetPlan:
    """The plan. `ca_file` holds the certificates of RDS' authorities."""
    aws = project.stack.aws
    assert aws is not None, "a stack on AWS has slipway:aws"
    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=project.stack,
        signers=signers(project),
        secrets=secrets,
        ca_file=ca_file,
        # The load balancer has the site's certificate; hosts have none.
        site_pem=Path(os.devnull),
        host_pems={},
        ssh_access="loopback",
        load_balancer=LoadBalancer(aws.network.cidr, aws.load_balancer.idle_seconds),
        hosts_come_and_go=True,
    )


def setup_digests(project: Project, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
    """By host, the digest that a host has once it was set up for the settings of this moment."""
    bucket = builds_bucket(session_of(project), outputs)
    bundle = ca_bundle(bucket, project.state_dir.resolve(), project.stack.name)
    plan = fleet_plan(project, outputs, secrets, bundle)
    by_role = {role: kit_digest(plan, role) for role in ROLES}
    return {host.name: by_role[host.only_role] for host in outputs.hosts}


SECONDS = 1200
"""Packages may have to be installed."""

# The kit comes on standard input, and is gone when it has run.
RUN = (
    'kit="$(mktemp -d)" && trap \'rm -rf "$kit"\' EXIT && tar -xzf - -C "$kit" && python3 -I "$kit/setup.py"'
)


def publish_kits(plan: FleetPlan, bucket: Bucket, roles: tuple[Role, ...]) -> dict[Role, bytes]:
    """Put the kit of every role where new hosts find it. The archives, by role."""
    python = ensure_python_packages(bucket)
    for role in roles:
        for key, content in kit_objects(plan, role, python).items():
            if bucket.get_bytes(key) != content:
                bucket.put_bytes(key, content)
    return {role: make(plan, role, python) for role in roles}


def ensure_python_packages(bucket: Bucket) -> PythonArchives:
    """Put the packages that hosts run pyinfra with in the bucket, unless they are there in these versions."""
    digest = packages_digest()
    index = json.loads(bucket.get_bytes(PYTHON_INDEX) or b"{}")
    if index.get("digest") != digest:
        for key, content in python_objects(build_all(), digest).items():
            bucket.put_bytes(key, content)
        index = json.loads(bucket.get_bytes(PYTHON_INDEX) or b"{}")
    return index["archives"]


def bring_in_line(plan: FleetPlan, kits: Mapping[Role, bytes], fleet: Fleet, progress: Progress) -> None:
    """Run the kit on every host whose digest is another one, on all at once.

    FleetError, with the last lines of each that failed; what is set up already is not touched.
    """
    wanted = {role: kit_digest(plan, role) for role in kits}

    def work(host: FleetHost) -> None:
        if host.connection.run(["cat", SETUP_DIGEST]).stdout.strip() == wanted[host.facts.only_role]:
            progress.host(host.name, "set up already")
            return
        progress.host(host.name, "setting up")
        done = host.connection.run(
            ["sh", "-c", RUN], kits[host.facts.only_role], timeout=SECONDS,
            on_stdout=lambda line: progress.host(host.name, line),
        )  # fmt: skip
        if done.code != 0:
            lines = [*done.stdout.splitlines(), *done.stderr.splitlines()][-12:]
            raise SlipwayError(
                f"{host.name}: setting it up failed: {lines[-1:] or ['no word']}", details=lines
            )
        progress.host(host.name, "set up")

    fleet.each([host for host in fleet.hosts if host.facts.is_any(*kits)], work)


# The authorities that certify a stack's data services: what hosts have as `/etc/slipway/ca.pem`.
#
# RDS has its own authorities, whose certificates are fetched from AWS once; RDS Proxy and ElastiCache are
# certified by Amazon's public ones. Both are kept in one file beside the kits.


URL = "https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""
PUBLIC = (
    *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
    "Starfield Services Root Certificate Authority - G2",
)
"""Names of Amazon's public authorities: www.amazontrust.com/repository"""
KEY = f"{SETUP_KITS}/ca.pem"
FETCH_SECONDS = 20


def ca_bundle(bucket: Bucket, state_dir: Path, stack: str) -> Path:
    """The bundle as a file here. The one in the bucket counts, so that all operators have the same."""
    content = bucket.get_bytes(KEY)
    if content is None:
        raise BadInput(f"the builds bucket has no {KEY}", remedy=f"slipway up --stack {stack}")
    return _laid(state_dir, content)


def ensure_ca_bundle(
    bucket: Bucket, region: str, state_dir: Path, fetch: Callable[[str], bytes] | None = None
) -> Path:
    """The same, after it was fetched from AWS if the bucket has none."""
    content = bucket.get_bytes(KEY)
    if content is None:
        url = URL.format(region=region)
        content = (fetch or _fetch)(url)
        try:
            ssl.create_default_context(cadata=content.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise SlipwayError(f"{url} holds no certificates", remedy="is a proxy in between?") from None
        content = content.rstrip() + b"\n" + public_authorities()
        bucket.put_bytes(KEY, content)
    return _laid(state_dir, content)


def public_authorities() -> bytes:
    """Amazon's own among the public authorities that botocore comes with, as PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(Path(botocore.__file__).parent / "cacert.pem")
    both = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for facts, der in both if _name(facts) in PUBLIC).encode()


def _name(facts: Mapping[str, Any]) -> str:
    pairs = [pair for part in facts["subject"] for pair in part]
    return next((str(value) for key, value in pairs if key == "commonName"), "")


def _laid(state_dir: Path, content: bytes) -> Path:
    path = state_dir / "tls" / "ca.pem"
    keep_private(path, content)
    return path


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - https, and our own
            return answer.read()
    except OSError as error:
        raise SlipwayError(
            f"{url} cannot be fetched: {error}",
            remedy="it is fetched once for a stack: run `slipway up` where this address can be reached",
        ) from None

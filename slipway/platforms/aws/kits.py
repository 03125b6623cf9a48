"""What a stack's hosts on AWS are to be set up with, and the digest by which one is known to be so."""

import hashlib
import json
import os
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import botocore

from hosts.agent.signature import KIT, canonical
from hosts.kit.archive import (
    PYTHON_INDEX,
    PythonArchives,
    kit_digest,
    kit_key,
    kit_objects,
    make,
    pointer_key,
    python_objects,
    python_statement,
    statement,
)
from hosts.kit.python_packages import build_all, packages_digest
from hosts.plan import SETUP_DIGEST, FleetPlan, LoadBalancer
from slipway.fleet.fleet import Fleet, FleetHost
from slipway.platforms.aws.open import builds_bucket
from slipway.platforms.aws.session import AwsRefused, names_of, session_of
from slipway.platforms.state_folder import keep_private
from slipway.progress import Progress
from slipway.secrets.signing import Signing, signers, trusts
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
    plan = fleet_plan(project, outputs, secrets, ca_bundle(bucket, project))
    by_role = {role: kit_digest(plan, role) for role in ROLES}
    return {host.name: by_role[host.only_role] for host in outputs.hosts}


SECONDS = 1200
"""Packages may have to be installed."""

# The kit comes on standard input, and is gone when it has run.
RUN = (
    'kit="$(mktemp -d)" && trap \'rm -rf "$kit"\' EXIT && tar -xzf - -C "$kit" && python3 -I "$kit/setup.py"'
)


def publish_kits(
    project: Project, plan: FleetPlan, bucket: Bucket, roles: tuple[Role, ...]
) -> dict[Role, bytes]:
    """Put the signed kit of every role where new hosts find it. The archives, by role.

    What is there stays, if it is the same kit and its signature still counts. BadInput: this person may not
    sign, and something has to be.
    """
    python = ensure_python_packages(bucket, project)
    archives: dict[Role, bytes] = {role: make(plan, role, python) for role in roles}
    parameter = SetupParameter(project)
    oldest = parameter.oldest()
    for role, archive in archives.items():
        digest, pointer = hashlib.sha256(archive).hexdigest(), _object(bucket.get_bytes(pointer_key(role)))
        key, made = kit_key(role, digest), pointer.get("made")
        if (
            not isinstance(made, int)
            or made < oldest.get(role, 0)
            or (pointer.get("key"), pointer.get("sha256")) != (key, digest)
            or not trusted(project, statement(plan.fleet, role, digest, made), pointer)
            or bucket.get_bytes(key) != archive
        ):
            made = max(time.time_ns() // 1_000_000, oldest.get(role, 0) + 1)
            for key, content in kit_objects(plan, role, python, made, Signing(project).sign).items():
                bucket.put_bytes(key, content)
        oldest[role] = made
    parameter.write(plan.signers, oldest)
    return archives


class SetupParameter:
    """By what new hosts judge a kit: outside the builds bucket, whose writers must not name themselves."""

    def __init__(self, project: Project) -> None:
        self._session, self._name = session_of(project), names_of(project.stack).setup_parameter

    def oldest(self) -> dict[str, int]:
        """By role, when the newest published kit was made: an older one is refused."""
        return self._read().get("oldest", {})

    def write(self, signers: str, oldest: Mapping[str, int]) -> None:
        """Name signers and newest kits, unless the parameter does already."""
        content = {"signers": signers, "oldest": dict(oldest)}
        if content != self._read():
            self._session.call(
                "ssm", "put_parameter", Name=self._name, Value=json.dumps(content), Type="String",
                Overwrite=True, Tier="Intelligent-Tiering",
                Description="Who signs what new hosts set themselves up with: no secrets",
            )  # fmt: skip

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(
                self._session.call("ssm", "get_parameter", Name=self._name)["Parameter"]["Value"]
            )
        except AwsRefused as refused:
            if refused.code != "ParameterNotFound":
                raise
            return {}


def ensure_python_packages(bucket: Bucket, project: Project) -> PythonArchives:
    """Put the packages that hosts run pyinfra with in the bucket, unless they are there in these versions.

    What no signer of the stack signed is put together again: hosts import it as root.
    """
    digest, index = packages_digest(), _object(bucket.get_bytes(PYTHON_INDEX))
    if index.get("digest") != digest or not trusted(
        project, python_statement(project.fleet_id, index), index
    ):
        objects = python_objects(project.fleet_id, build_all(), digest, Signing(project).sign)
        for key, content in objects.items():
            bucket.put_bytes(key, content)
        index = _object(objects[PYTHON_INDEX])
    return index["archives"]


def _object(content: bytes | None) -> dict[str, Any]:
    """A JSON object that anyone who writes the bucket may have put there; empty for anything else."""
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def trusted(project: Project, content: bytes, given: Mapping[str, Any]) -> bool:
    """Did a signer of the stack sign `content`, as `given` says?"""
    return trusts(project, content, str(given.get("signature") or ""), str(given.get("signer") or ""), KIT)


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
# certified by Amazon's public ones. Both are kept in one signed file beside the kits.


URL = "https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""
PUBLIC = (
    *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
    "Starfield Services Root Certificate Authority - G2",
)
"""Names of Amazon's public authorities: www.amazontrust.com/repository"""
KEY = f"{SETUP_KITS}/ca.pem"
CA_SIGNED = f"{SETUP_KITS}/ca.json"
"""Who signed the bundle: {signer, signature}."""
FETCH_SECONDS = 20


def ca_bundle(bucket: Bucket, project: Project) -> Path:
    """The bundle as a file here. The one in the bucket counts, so that all operators have the same."""
    content = bucket.get_bytes(KEY)
    remedy = f"slipway up --stack {project.stack.name}"
    if content is None:
        raise BadInput(f"the builds bucket has no {KEY}", remedy=remedy)
    if not _trusts_bundle(bucket, project, content):
        raise BadInput(f"{KEY} in the builds bucket is not signed by a signer of the stack", remedy=remedy)
    return _laid(project.state_dir.resolve(), content)


def ensure_ca_bundle(
    bucket: Bucket, region: str, project: Project, fetch: Callable[[str], bytes] | None = None
) -> Path:
    """The same, after it was fetched from AWS if the bucket has none that a signer of the stack signed."""
    content = bucket.get_bytes(KEY)
    if content is None or not _trusts_bundle(bucket, project, content):
        url = URL.format(region=region)
        content = (fetch or _fetch)(url)
        try:
            ssl.create_default_context(cadata=content.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise SlipwayError(f"{url} holds no certificates", remedy="is a proxy in between?") from None
        content = content.rstrip() + b"\n" + public_authorities()
        signer, signature = Signing(project).sign(_ca_statement(project, content), KIT)
        bucket.put_bytes(KEY, content)
        bucket.put_bytes(CA_SIGNED, json.dumps({"signer": signer, "signature": signature}).encode())
    return _laid(project.state_dir.resolve(), content)


def _trusts_bundle(bucket: Bucket, project: Project, content: bytes) -> bool:
    return trusted(project, _ca_statement(project, content), _object(bucket.get_bytes(CA_SIGNED)))


def _ca_statement(project: Project, content: bytes) -> bytes:
    return canonical({"schema": 1, "stack": project.fleet_id, "ca": hashlib.sha256(content).hexdigest()})


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

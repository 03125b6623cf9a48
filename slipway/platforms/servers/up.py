"""`slipway up` of a fleet of servers: from servers that answer by ssh to a fleet that is set up and answers.

Everything in it may be cut off at any moment and done again: what is as it should be is left alone.
"""

from collections.abc import Mapping
from pathlib import Path

from hosts.plan import REDIS_PORT, FleetPlan
from hosts.set_up import set_up
from slipway.fleet.fleet import Fleet, answers
from slipway.platforms.data_host import REDIS, secret_names
from slipway.platforms.s3_server import binary_for, find_versitygw
from slipway.platforms.servers.certificates import about_issue, acme_of, dns_token, ensure_certificates, judge
from slipway.platforms.servers.outputs import (
    CA_CERTIFICATE,
    DATA_CERTIFICATE,
    FLEET_SITE,
    REDIS_IN_PLAIN,
    lay_out,
    open_outputs,
    redis_certificate,
    site_names,
    web_certificate,
)
from slipway.platforms.servers.reach import Found, reach, unresolved, wait_for_services
from slipway.platforms.site import site_problem
from slipway.platforms.state_folder import keep_private, only_one, set_ups
from slipway.progress import Progress
from slipway.secrets.signing import ensure_signers, signers
from slipway.secrets.store import SITE_CERTIFICATE, SecretStore, ensure_random
from slipway.settings import BadInput, Outputs, Project

ENV_FILES = "/etc/slipway/env"
"""Where hosts keep the env of the releases in their slots."""
RELOAD_SECONDS = 6
"""How long the edge may take to reload its configuration."""


def up(project: Project, store: SecretStore, progress: Progress) -> Outputs:
    """Set all servers up, or bring them in line with the settings. New servers take minutes, else seconds.

    BadInput: something given is wrong, and nothing was changed; SlipwayError: a server does not answer, or
    setting it up failed; NeedsPerson: a service does not answer who needs it.
    """
    with only_one(project):
        held = store.read()
        site_warnings = _judge_site(project, held.get(SITE_CERTIFICATE))
        dns_token(project, held)
        with progress.phase("reach"):
            fleet = Fleet(lay_out(project, held))
            found = reach(fleet, project.fleet_id, progress)
            server = _s3_server(fleet, found, progress)
        with progress.phase("secrets"):
            if said := ensure_signers(project):
                progress.line(said)
            secrets = _all_secrets(store, project, fleet, progress)
            outputs = open_outputs(project, secrets)
        with progress.phase("set up"):
            plan = fleet_plan(project, outputs, secrets, server)
            set_up(plan, progress, *set_ups(project, outputs, secrets))
        with progress.phase("health"):
            wait_for_services(fleet, outputs)
        if plan.acme:
            with progress.phase("certificate"):
                site_warnings = _have_issued(fleet)
        for line in (*site_warnings, *_about_reaching(project, outputs)):
            progress.line(line)
    return outputs


def _judge_site(project: Project, pem: str | None) -> list[str]:
    """What to say of the site's certificate. BadInput if there is one that does not fit."""
    if pem:
        return judge(pem, site_names(project.stack), project.stack.name).warnings()
    if project.stack.acme:
        return []
    return [
        "the site's certificate is by the fleet's own authority, which browsers do not trust: "
        f"slipway secrets set {SITE_CERTIFICATE} --stack {project.stack.name} < site.pem, then slipway up"
    ]


def _have_issued(fleet: Fleet) -> list[str]:
    """What to say of the edges' certificates, after each has ordered one if that is due."""
    found, failed = answers(
        lambda: fleet.each(fleet.by_role("edge"), lambda host: host.agent.certificate(now=True))
    )
    said = [f"{name} cannot say how it gets its certificate: {error}" for name, error in failed.items()]
    for name, each in found.items():
        _, what, remedy = about_issue(name, each)
        said.append(f"{what}; {remedy}" if remedy else what)
    return said


def _s3_server(fleet: Fleet, found: dict[str, Found], progress: Progress) -> Path | None:
    """The S3 server's binary if the data host has none."""
    data = fleet.by_role("data")[0].name
    return None if found[data].has_s3_server else binary_for(data, found[data].architecture, progress)


def _all_secrets(store: SecretStore, project: Project, fleet: Fleet, progress: Progress) -> dict[str, str]:
    before = store.read()
    ensure_random(store, secret_names(project.stack))
    secrets = ensure_certificates(store, project)
    if said := _judge_plain_redis(fleet, store, before):
        progress.line(said)
    secrets = store.read()
    if secrets != before:
        progress.line(f"the secret store has new entries: commit secrets/{project.stack.name}.age")
    return secrets


def _judge_plain_redis(fleet: Fleet, store: SecretStore, before: Mapping[str, str]) -> str:
    """Shut Redis' plain port to other hosts once no release there has it in its env; what to say, or nothing.

    Releases that were shipped by an older slipway have, also those in a slot that waits for a rollback.
    """
    clients, data = fleet.outputs.redis_clients, fleet.outputs.by_role("data")[0]
    if not clients or REDIS not in before:
        return ""
    place = f"@{data.address}:{REDIS_PORT}"
    look = ["grep", "-rqsF", "-e", place, ENV_FILES]
    asked = [host for host in fleet.hosts if host.facts in clients]
    found = fleet.each(asked, lambda host: host.connection.run(look))
    used = [name for name, done in found.items() if done.code == 0]
    if used:
        ensure_random(store, [REDIS_IN_PLAIN])
        return (
            f"{', '.join(used)}: a release reaches Redis in plain at {place[1:]}, which stays open for it: "
            "ship a release; the first `slipway up` after the old one's hold has ended shuts it"
        )
    if REDIS_IN_PLAIN in before:
        store.unset(REDIS_IN_PLAIN)
    return ""


def _about_reaching(project: Project, outputs: Outputs) -> list[str]:
    """What keeps users away although the fleet is well."""
    said: list[str] = []
    if missing := unresolved(site_names(project.stack)):
        edge = outputs.connect.rpartition(":")[0]
        said.append(f"no DNS yet for {' and '.join(missing)}: let it lead to {edge}")
    if problem := site_problem(outputs, seconds=RELOAD_SECONDS):
        said.append(problem)
    return said


def fleet_plan(
    project: Project, outputs: Outputs, secrets: Mapping[str, str], versitygw: Path | None = None
) -> FleetPlan:
    """The plan. Certificates come from `secrets` and are laid into the state folder, 0600; none is made here.

    BadInput: the store lacks one, so `up` never came to its end.
    """
    folder = project.state_dir.resolve() / "tls"

    def laid(file: str, *entries: str) -> Path:
        text = next((secrets[entry] for entry in entries if secrets.get(entry)), None)
        if text is None:
            raise BadInput(
                f"the stack's secrets have no {entries[-1]}", remedy=f"slipway up --stack {outputs.stack}"
            )
        path = folder / file
        keep_private(path, text.strip().encode() + b"\n")
        return path

    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=project.stack,
        signers=signers(project),
        secrets=secrets,
        ca_file=laid("ca.pem", CA_CERTIFICATE),
        acme=acme_of(project, secrets),
        site_pem=laid("site.pem", SITE_CERTIFICATE, FLEET_SITE),
        host_pems={
            **{
                host.name: laid(f"web-{host.name}.pem", web_certificate(host.name))
                for host in outputs.by_role("web")
                if not host.is_any("data")
            },
            **{host.name: laid("data.pem", DATA_CERTIFICATE) for host in outputs.by_role("data")},
        },
        tls_to_web=True,
        redis_pems={
            host.name: laid(f"redis-{host.name}.pem", redis_certificate(host.name))
            for host in outputs.redis_clients
        },
        redis_in_plain=not outputs.redis_clients or REDIS_IN_PLAIN in secrets,
        versitygw=versitygw or find_versitygw(),
    )

"""Writes docs/glossary.md: one word, one thing, and the file where it lives.

python script/glossary.py > docs/glossary.md
"""

# ruff: noqa: E501 - a table
from __future__ import annotations

import importlib
import inspect
from typing import NamedTuple


class Term(NamedTuple):
    """A word. Its meaning is the first sentence of `source`'s docstring (`module:Name`), unless `meaning` is given."""

    word: str
    source: str
    meaning: str = ""


TERMS: dict[str, tuple[Term, ...]] = {
    "Where an app lives": (
        Term(
            "stack",
            "slipway.settings.stack:Stack",
            "One environment (`prod`, `preview`, `local`), under the same name in Pulumi and everywhere else.",
        ),
        Term(
            "platform",
            "slipway.platforms.platform:Platform",
            "Where a stack's hosts live, behind one interface: `aws`, `servers` or `local`.",
        ),
        Term("server", "slipway.settings.stack:Server"),
        Term(
            "host",
            "slipway.settings.outputs:Host",
            "A member of the fleet: a Debian system with one role or several.",
        ),
        Term("role", "slipway.settings.outputs:Role", "What a host does: `edge`, `web`, `worker` or `data`."),
        Term("fleet", "slipway.fleet.fleet:Fleet", "A stack's hosts, by role."),
        Term("machine", "", "The operator's own computer, where the command line runs."),
        Term(
            "stack outputs",
            "slipway.settings.outputs:Outputs",
            "What a platform promises to the pipeline: URL, hosts, buckets, database, Redis, secret store.",
        ),
        Term(
            "set-up",
            "hosts",
            "What pyinfra makes true on a host. Its digest tells whether a host is up to date.",
        ),
        Term("inventory", "hosts.inventory.parts:Inventory"),
        Term("deviation", "hosts.inventory.parts:Deviation"),
        Term(
            "agent",
            "hosts.agent",
            "The program on each host that stages, boots, switches and retires releases.",
        ),
        Term("engine", "slipway.platforms.pulumi", "Pulumi's engine, and nothing else."),
    ),
    "What is shipped": (
        Term("build", "slipway.build.build:Build", "An immutable artifact named by its content."),
        Term(
            "artifact",
            "slipway.build.artifact:write_artifact",
            "A build as a folder, so that one machine makes it and another ships it.",
        ),
        Term(
            "sandbox",
            "slipway.build.sandbox:sandboxed",
            "What build commands run in: they reach no secret, and change nothing but their own folder.",
        ),
        Term("layer", "slipway.build.manifest:Layer"),
        Term(
            "signer",
            "slipway.secrets.signing:signed",
            "A key that may sign releases to a stack, and whose it is.",
        ),
        Term(
            "ticket",
            "hosts.agent.signature:admit",
            "The signature that lets hosts serve a release: over stack, release, build, record, fence and floor.",
        ),
        Term(
            "env ticket",
            "hosts.agent.signature:admit_env",
            "The signature that lets hosts run a release with an environment, for one command alone.",
        ),
        Term(
            "recipe",
            "slipway.adopt.recipe:Recipe",
            "What `slipway init` knows of one kind of app: how it is recognised, built and started.",
        ),
        Term(
            "manifest",
            "slipway.build.manifest:Manifest",
            "What a build consists of: layers by digest, commit, migrations, SBOM.",
        ),
        Term(
            "release",
            "slipway.storage.records:Release",
            "A build with a config version and a schema head, shipped to a stack under a number.",
        ),
        Term("last known good", "slipway.storage.ledger:Ledger", "The newest release that was promoted."),
        Term(
            "migration",
            "slipway.release.migrate:Migrate",
            "A change of the database schema, run once from the new build, forward only.",
        ),
        Term(
            "env contract",
            "slipway.secrets.contract",
            "The env entries that an app declares in slipway.toml, with type and scope.",
        ),
    ),
    "How a release runs": (
        Term("phase", "slipway.release.rollout:Phase"),
        Term(
            "slot",
            "hosts.agent.state",
            "`blue` or `green`: the two places on a host where a release can run. Nothing else is called a slot.",
        ),
        Term(
            "candidate listener",
            "hosts.web",
            "The port on loopback that always routes to the idle slot, for smoke tests.",
        ),
        Term(
            "switch",
            "slipway.release.switch:Switch",
            "All web hosts route to the new slot, in one command each; then the workers hand over.",
        ),
        Term(
            "observe window",
            "slipway.release.observe:Observe",
            "The time after a switch in which errors and latency decide whether the release stays.",
        ),
        Term(
            "hold time", "slipway.settings.app:Retire", "How long the old slot stays warm after a promotion."
        ),
        Term(
            "drain",
            "hosts.agent.retire",
            "Closing a slot: clients are notified, given time, then closed in order.",
        ),
        Term(
            "membership",
            "slipway.release.membership:Membership",
            "The hosts that run the app now: those that joined during a command, and those that left.",
        ),
        Term(
            "ledger",
            "slipway.storage.ledger:Ledger",
            "The append-only record of releases in the stack's builds bucket.",
        ),
        Term("record", "slipway.storage.records:Release", "One release's events in the ledger."),
        Term("head", "slipway.storage.records:Head"),
        Term(
            "lease",
            "slipway.storage.lease:Lease",
            "The lock on deployments of a stack. It expires, so a killed command does not block the next for long.",
        ),
        Term(
            "fence",
            "slipway.storage.lease",
            "The growing number that a lease hands out. A host refuses an older one.",
        ),
        Term(
            "hold",
            "slipway.storage.hold:Hold",
            "What keeps releases from a stack: a person set it, or a rollback.",
        ),
        Term(
            "boot document",
            "slipway.release.membership",
            "What a new host reads to start the live release by itself.",
        ),
    ),
    "What is proved": (
        Term(
            "check", "checks", "A test against the live stack, with an id, a severity, a reason and a remedy."
        ),
        Term("finding", "checks", "What a check reports when it fails."),
        Term("diagnosis", "slipway.platforms.platform:Diagnosis", "What doctor found wrong, and the remedy."),
        Term(
            "problem",
            "slipway.release.preflight:Problem",
            "What preflight found that stands in the way of a release.",
        ),
        Term("leak", "slipway.secrets.scan:Leak", "A secret that the scan found in a file."),
        Term(
            "control",
            "slipway.settings.controls:Control",
            "A setting that an AWS control (RDS.8, ELB.4 …) demands: one row gives the demand, the policy rule and the docs.",
        ),
        Term(
            "policy rule",
            "infra.policies",
            "A rule on the recorded infrastructure graph. IAM and buckets have IAM policies and bucket policies.",
        ),
        Term("sabotage", "tests.fleet.checks", "Breaking a live host on purpose, to see its check fail."),
    ),
    "Load": (
        Term(
            "profile",
            "slipway.traffic.profile:Profile",
            "How many visits a second a load run makes, over time.",
        ),
        Term(
            "visit",
            "slipway.traffic.profile",
            "One task of a simulated user, due at a time that the profile sets.",
        ),
        Term(
            "threshold",
            "slipway.traffic.thresholds",
            "A limit that a run must keep, for a name or a kind of request.",
        ),
        Term(
            "open model",
            "slipway.traffic.profile",
            "Visits start when they are due, however slow the answers are.",
        ),
        Term(
            "lost",
            "slipway.traffic.meter",
            "A request without an answer from the app: no answer, or a proxy's 5xx.",
        ),
    ),
}


def main() -> None:
    print("# Glossary\nOne word for one thing, in code, messages and pages. Made by `script/glossary.py`.")
    for title, terms in TERMS.items():
        print(f"\n## {title}\n| word | meaning | where |\n|---|---|---|")
        for term in terms:
            print(f"| **{term.word}** | {term.meaning or _meaning(term.source)} | {_where(term.source)} |")


def _meaning(source: str) -> str:
    module, _, name = source.partition(":")
    found = importlib.import_module(module)
    text = inspect.getdoc(getattr(found, name) if name else found) or ""
    sentence = text.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return sentence.split(". ")[0].rstrip(".") + "."


def _where(source: str) -> str:
    module = source.partition(":")[0]
    if not module:
        return ""
    found = importlib.import_module(module)
    path = module.replace(".", "/")
    return f"`{path}/`" if hasattr(found, "__path__") else f"`{path}.py`"


if __name__ == "__main__":
    main()

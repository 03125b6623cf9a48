"""Steps: what the engine is going to do, or did, to one resource. Read from its events; pure."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pulumi.automation.events import EngineEvent, StepEventMetadata

DESTROYING = frozenset(
    {"delete", "delete-replaced", "replace", "create-replacement", "import-replacement", "read-replacement"}
    | {"discard", "discard-replaced", "remove-pending-replace"}
)
"""Operations after which the resource that was there is not there any more."""
IDLE = frozenset({"same", "read", "refresh"})
"""Operations that change nothing in the cloud."""


@dataclass(frozen=True)
class Step:
    """One operation on one resource."""

    op: str
    urn: str
    type: str
    """Token: `aws:rds/instance:Instance`."""
    id: str = ""
    """The provider's id of the existing resource."""
    was_protected: bool = False
    is_protected: bool = False
    custom: bool = True
    """A real resource; components are not."""
    logical: bool = True
    """A replacement is one logical step, and two or three that carry it out."""
    keys: tuple[str, ...] = ()
    """Properties that make it a replacement."""
    diffs: tuple[str, ...] = ()
    """Properties that change."""
    inputs: str = ""
    """Digest of what it is to become; secret values are redacted before."""

    @property
    def name(self) -> str:
        """The logical name: the end of the URN."""
        return self.urn.rpartition("::")[2]

    @property
    def destroys(self) -> bool:
        """Does it end what is there?"""
        return self.op in DESTROYING

    @property
    def is_default_provider(self) -> bool:
        """One that the engine makes by itself, and does not count."""
        return self.type.startswith("pulumi:providers:") and self.name.startswith("default")


def read_steps(events: Iterable[EngineEvent]) -> tuple[Step, ...]:
    """The steps in a preview's events, in the engine's order."""
    return tuple(
        step_of(event.resource_pre_event.metadata) for event in events if event.resource_pre_event is not None
    )


def step_of(event: StepEventMetadata, *, logical: bool = False) -> Step:
    """The step that an event describes. In a refresh every step counts as `logical`."""
    changed = {*(event.diffs or ()), *(event.detailed_diff or {})}
    inputs: Mapping[str, object] = (event.new.inputs if event.new else None) or {}
    return Step(
        op=event.op.value,
        urn=event.urn,
        type=event.type,
        id=event.old.id if event.old else "",
        was_protected=bool(event.old and event.old.protect),
        is_protected=bool(event.new and event.new.protect),
        custom=any(state is not None and bool(state.custom) for state in (event.old, event.new)),
        logical=logical or bool(event.logical),
        keys=tuple(sorted(event.keys or ())),
        diffs=tuple(sorted(changed)),
        inputs=hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest(),
    )


def unread(steps: Sequence[Step], counted: Mapping[str, int]) -> list[str]:
    """Operations of which the engine counted another number than was read: nothing may be judged then.

    The Automation API drops an event that it cannot parse, with no more than a warning.
    """
    read = Counter(step.op for step in steps if step.logical and not step.is_default_provider)
    expected = dict(counted)
    return sorted(op for op in {*read, *expected} - IDLE if read[op] != expected.get(op, 0))


@dataclass(frozen=True)
class Plan:
    """What an update of a stack would do."""

    project: str
    stack: str
    steps: tuple[Step, ...]
    file: Path | None = None
    """The engine's own record of it, to which the update is held."""

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.op not in IDLE)

    @property
    def digest(self) -> str:
        """64 hex characters of what would change, from what to what; the same on every machine."""
        changes = sorted(
            [step.op, step.urn, step.id, step.was_protected, step.is_protected, *_properties(step)]
            for step in self.changes
        )
        document = {"project": self.project, "stack": self.stack, "changes": changes}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    @property
    def summary(self) -> str:
        """`3 to create, 1 to update`, or `nothing to change`."""
        counts = Counter(step.op for step in self.changes if step.logical and not step.is_default_provider)
        return ", ".join(f"{counts[op]} to {op}" for op in sorted(counts)) or "nothing to change"


def _properties(step: Step) -> list[object]:
    return [list(step.keys), list(step.diffs), step.inputs]


@dataclass(frozen=True)
class Refusal:
    """A resource that the plan would destroy."""

    urn: str
    name: str
    what: str
    """`replace`, `delete`."""
    why: str
    approvable: bool
    """May a signed approval allow it? An unprotection in the same update it may not."""


def judge(steps: Sequence[Step], approved: Collection[str] = ()) -> list[Refusal]:
    """What is refused of a plan, given the URNs that an approval of this very plan names."""
    refused: dict[str, Refusal] = {}
    # The logical step first: its word for what happens is the one a person knows.
    for step in sorted(steps, key=lambda step: not step.logical):
        refusal = _judge(step) if step.urn not in refused else None
        if refusal and not (refusal.approvable and step.urn in approved):
            refused[step.urn] = refusal
    return sorted(refused.values(), key=lambda refusal: refusal.urn)


def _judge(step: Step) -> Refusal | None:
    if not step.destroys or not step.custom:
        return None
    what = "delete" if step.op.startswith(("delete", "discard", "remove")) else "replace"
    because = f" (changed: {', '.join(step.keys)})" if step.keys else ""
    if step.was_protected:
        why = f"it is protected, and would lose its protection and be gone in one update{because}"
        return Refusal(step.urn, step.name, what, why, approvable=False)
    lost = lost_with(step.type)
    if lost:
        return Refusal(step.urn, step.name, what, f"with it goes {lost}{because}", approvable=True)
    return None


STATEFUL: dict[str, str] = {
    "aws:rds/instance:Instance": "the database and its automated backups",
    "aws:rds/cluster:Cluster": "the database and its automated backups",
    "aws:elasticache/replicationGroup:ReplicationGroup": "queued jobs, sessions and rate limits in Redis",
    "aws:elasticache/serverlessCache:ServerlessCache": "queued jobs, sessions and rate limits in Redis",
    "aws:s3/bucket:Bucket": "every object in the bucket, with its versions",
    "aws:s3/bucketV2:BucketV2": "every object in the bucket, with its versions",
    "aws:kms/key:Key": "all that is encrypted with the key",
    "aws:secretsmanager/secret:Secret": "the values of the secret",
    "aws:dynamodb/table:Table": "every item in the table",
    "aws:efs/fileSystem:FileSystem": "every file",
    "aws:ebs/volume:Volume": "every file",
    "aws:route53/zone:Zone": "the domain's records and its name servers",
    "cloudflare:index/zone:Zone": "the domain's records, rules and name servers",
    "cloudflare:index/r2Bucket:R2Bucket": "every object in the bucket",
    "cloudflare:index/d1Database:D1Database": "the database",
    "cloudflare:index/workersKvNamespace:WorkersKvNamespace": "every value in the namespace",
    "cloudflare:index/workersScript:WorkersScript": "what the Worker's Durable Objects have stored",
    "pulumi-python:dynamic/slipway:Fleet": "the local fleet's database, Redis, files and backups",
}


def lost_with(token: str) -> str:
    """What is lost with a resource of this type; empty: nothing that cannot be made again."""
    return STATEFUL.get(token, "")

"""`slipway down` of a preview can end, and leaves no name behind; production keeps what it holds."""

from __future__ import annotations

from typing import Any

import pytest

from infra.policies import World
from infra.recording import Graph
from slipway.settings.controls.tokens import STATEFUL

LEAVES_NOTHING: dict[str, dict[str, Any]] = {
    "aws:s3/bucket:Bucket": {"forceDestroy": True},
    "aws:secretsmanager/secret:Secret": {"recoveryWindowInDays": 0},
    "aws:rds/instance:Instance": {
        "deletionProtection": False, "skipFinalSnapshot": True, "deleteAutomatedBackups": True,
        "finalSnapshotIdentifier": None,
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": {"finalSnapshotIdentifier": None},
    "aws:lb/loadBalancer:LoadBalancer": {"enableDeletionProtection": False},
    "aws:autoscaling/group:Group": {"forceDelete": True},
}  # fmt: skip
"""What keeps AWS from deleting a resource, from ending soon, or from making it again under its name."""


@pytest.mark.parametrize("type_", LEAVES_NOTHING)
def test_a_preview_is_deleted_whole_and_production_is_not(preview: World, prod: World, type_: str) -> None:
    def shown(where: Graph) -> list[dict[str, Any]]:
        return [{key: each.inputs.get(key) for key in LEAVES_NOTHING[type_]} for each in where.of(type_)]

    assert shown(preview.graph)
    assert all(each == LEAVES_NOTHING[type_] for each in shown(preview.graph))
    assert all(
        value != LEAVES_NOTHING[type_][key] for each in shown(prod.graph) for key, value in each.items()
    )


def test_the_engine_refuses_nothing_of_a_preview(preview: World, prod: World) -> None:
    assert [each.name for each in preview.graph if each.protect or each.retain_on_delete] == []
    assert all(each.protect for each in prod.graph if each.type in STATEFUL)

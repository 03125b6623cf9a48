"""An app and a stack on AWS that are each right, and do not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings.aws_stack import QUEUELESS, Settings, refused

APP = (
    QUEUELESS
    + """\
drain_seconds = 45
[processes.jobs]
command = "bun jobs"
drain_seconds = 300
[env]
REDIS_URL = { from = "redis.url" }
TRUSTED_PROXY_HOPS = { value = "1", kind = "integer" }
DATABASE_POOL_SIZE = { value = "10", kind = "integer" }
[limits]
body_bytes = 200000000
requests_per_minute = 600
[websocket]
idle_seconds = 60
"""
)


@pytest.mark.parametrize(
    ("settings", "key", "said"),
    [
        (
            {"aws": {"load_balancer": {"deregistration_seconds": 44}}},
            "aws.load_balancer.deregistration_seconds",
            "at least the app's longest drain (45 s, processes.*.drain_seconds), got 44",
        ),
        (
            {"aws": {"load_balancer": {"heartbeat_seconds": 60}}},
            "aws.load_balancer.heartbeat_seconds",
            "less than the app's websocket.idle_seconds (60), got 60",
        ),
        ({"aws": {"worker": {"min": 0}}}, "aws.worker.min", "jobs runs on worker hosts"),
        (
            {"aws": {"cache": {"cluster_mode": True}}},
            "aws.cache.cluster_mode",
            "must be off: process jobs takes REDIS_URL and serves no requests, so it works on a queue",
        ),
        (
            {"aws": {"cache": {"eviction": "allkeys-lru"}}},
            "aws.cache.eviction",
            'must be noeviction, got "allkeys-lru": process jobs takes REDIS_URL',
        ),
        (
            {"aws": {"load_balancer": {"requests_per_5_minutes": 2999}}},
            "aws.load_balancer.requests_per_5_minutes",
            "limits.requests_per_minute is 600, so 3000 in 5 minutes",
        ),
        ({"env": {"TRUSTED_PROXY_HOPS": "2"}}, "env.TRUSTED_PROXY_HOPS", "all clients count as one"),
        (
            {"cloudflare": {"requests_per_10_seconds": 99}},
            "cloudflare.requests_per_10_seconds",
            "so 100 in 10 seconds",
        ),
        (
            {"aws": {"database": {"pooler": "none", "type": "db.t4g.micro"}}},
            "aws.database.pooler",
            'with "none" the app may open 150 connections (DATABASE_POOL_SIZE 10, at most 6 web hosts with'
            " two releases each and 3 worker hosts), and db.t4g.micro takes 112",
        ),
    ],
)  # fmt: skip
def test_app_and_stack_are_held_against_each_other(project: Path, settings: Settings, key: str, said: str):
    (project / "app" / "slipway.toml").write_text(APP.replace("200000000", "1048576"))
    assert refused(project) == []
    found = refused(project, **settings)
    assert len(found) == 1, found
    assert f" slipway:{key}: " in found[0]
    assert said in found[0]


def test_an_app_without_a_queue_may_evict_and_shard(project: Path):
    (project / "app" / "slipway.toml").write_text(QUEUELESS + '[env]\nREDIS_URL = { from = "redis.url" }\n')
    assert refused(project, aws={"cache": {"eviction": "allkeys-lru", "cluster_mode": True}}) == []


def test_a_smaller_pool_makes_room_without_a_pooler(project: Path):
    (project / "app" / "slipway.toml").write_text(APP.replace("200000000", "1048576"))
    without = {"database": {"pooler": "none", "type": "db.t4g.micro"}}
    assert refused(project, aws=without, env={"DATABASE_POOL_SIZE": "6"}) == []
    assert len(refused(project, aws=without, env={"DATABASE_POOL_SIZE": "7"})) == 1


def test_cloudflare_rejects_large_bodies_and_its_worker_needs_a_socket(project: Path):
    (project / "app" / "slipway.toml").write_text(APP)
    assert "rejects bodies over 100000000 bytes" in refused(project)[0]
    (project / "app" / "slipway.toml").write_text(QUEUELESS)
    assert "there is nothing for the Worker to serve" in refused(project, cloudflare={"worker": True})[0]

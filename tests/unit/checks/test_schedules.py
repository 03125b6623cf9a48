"""When an entry of cron is late."""

from __future__ import annotations

import pytest

from checks.data.test_work_queue import lateness


@pytest.mark.parametrize(
    ("since", "ahead", "said"),
    [
        (8, 2, []),
        (8, None, []),
        (400, None, ["has not run for 400 s"]),
        (8, -1_795_803_144, ["runs next in -1795803144 s"]),
        (8, 3600, ["runs next in 3600 s"]),
    ],
)
def test_a_run_under_way_has_no_next_one_yet(since: float, ahead: float | None, said: list[str]):
    found = lateness(since, ahead, every=10, timeout=300)
    assert [each.partition(",")[0] for each in found] == said

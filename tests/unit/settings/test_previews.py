"""Which stacks may carry previews."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.settings import Stack
from slipway.settings.stack_rules import broken_stack_rules

GOOD: dict[str, Any] = {
    "name": "previews",
    "project": "board",
    "platform": "local",
    "domain": "previews.localhost",
    "previews": True,
    "local": {"one_host": True},
}


def problems(**changed: object) -> list[str]:
    return [problem for _, problem, _ in broken_stack_rules(Stack.model_validate({**GOOD, **changed}))]


def test_one_host_with_a_domain_carries_previews():
    assert problems() == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"local": {}}, "needs a stack of one host"),
        ({"domain": "localhost"}, "must have two parts or more"),
        ({"name": "prod"}, "is not for a stack in production"),
        ({"database": "external"}, "cannot make databases on an external server"),
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, object], problem: str):
    assert any(problem in each for each in problems(**changed)), problems(**changed)

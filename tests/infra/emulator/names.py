"""Arguments as Terraform calls them: Pulumi's names in snake_case, singular and plural tried.

Pulumi makes lists plural (`subnetMappings`) and single blocks singular; Terraform does the opposite. Only
what neither rule explains is in `RENAMED`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from infra.recording.sdk import snake_case

RENAMED = {
    ("aws_sns_topic_subscription", "topic"): "topic_arn",
    ("aws_cloudwatch_metric_alarm", "name"): "alarm_name",
}
"""By Terraform's type and the snake_case name: Terraform's name."""


def known(name: str, names: Container[str], kind: str = "") -> str | None:
    """Which of `names` is meant by `name` (camelCase or snake_case); None if none is."""
    snake = snake_case(name)
    tried = (RENAMED.get((kind, snake), snake), *_singular(snake), *_plural(snake))
    return next((each for each in tried if each in names), None)


def _singular(name: str) -> Iterator[str]:
    if name.endswith("ies"):
        yield name[:-3] + "y"
    if name.endswith("es"):
        yield name[:-2]
    if name.endswith("s"):
        yield name[:-1]


def _plural(name: str) -> Iterator[str]:
    if name.endswith("y"):
        yield name[:-1] + "ies"
    yield name + "s"
    yield name + "es"

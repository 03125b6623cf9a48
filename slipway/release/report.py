"""What a release or a rollback did, for the person and for `--json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from slipway.release.rollout import Rollout


@dataclass(frozen=True)
class Report:
    """Times are in seconds, but for `switched_ms`: how long each web host's switch took on the host."""

    release: int
    build: str
    url: str
    seconds: float
    phases: dict[str, float]
    switched_ms: dict[str, float]
    warnings: list[str]
    came_from: int | None
    """The release that served before."""
    warm: bool | None = None
    """Of a rollback: was its slot warm, or was it booted again?"""

    def as_json(self) -> dict[str, object]:
        """For `--json`; `from` is the release that served before."""
        told = asdict(self)
        told["from"] = told.pop("came_from")
        if self.warm is None:
            del told["warm"]
        return told


def report_on(
    rollout: Rollout,
    build: str,
    phases: dict[str, float],
    seconds: float,
    *,
    came_from: int | None,
    warm: bool | None = None,
) -> Report:
    """What `rollout` did."""
    return Report(
        release=rollout.number,
        build=build,
        url=rollout.outputs.url,
        seconds=round(seconds, 3),
        phases=phases,
        switched_ms=rollout.switched_ms,
        warnings=rollout.warnings,
        came_from=came_from,
        warm=warm,
    )

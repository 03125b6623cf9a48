"""Preflight: everything that can be known before anything is touched. All problems are reported at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from slipway.release.phases import Phase
from slipway.release.preflight_checks import CHECKS, Check, Problem
from slipway.release.rollout import Rollout
from slipway.secrets.contract import config_version
from slipway.settings.errors import BadInput, SlipwayError


@dataclass(frozen=True)
class Checked:
    """Nothing stands in the way of a release."""

    config: str
    """The version of the settings and secrets that it runs with."""


class Preflight(Phase[Checked]):
    """Refuses with every reason; warns about what a person should know."""

    name = "preflight"
    touches_fleet = False

    def run(self, rollout: Rollout) -> Checked:
        """Run every check at once; the slowest decides how long it takes."""
        with ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="preflight") as pool:
            looking = [pool.submit(_safely, check, rollout) for check in CHECKS]
            found = [problem for looked in looking for problem in looked.result()]
        rollout.warnings.extend(problem.text for problem in found if not problem.refuses)
        if refused := [problem for problem in found if problem.refuses]:
            raise refusal(refused)
        stack = rollout.project.stack
        return Checked(config_version(rollout.app, stack, rollout.outputs, rollout.secrets))


def refusal(problems: list[Problem]) -> SlipwayError:
    """One error for all problems. It is BadInput if any of them is."""
    kinds = {problem.error for problem in problems}
    error = BadInput if BadInput in kinds else kinds.pop()
    if len(problems) == 1:
        return error(problems[0].text, remedy=problems[0].remedy)
    return error(
        f"{len(problems)} problems stand in the way of a release",
        details=[f"{each.text} → {each.remedy}" if each.remedy else each.text for each in problems],
    )


def _safely(check: Check, rollout: Rollout) -> list[Problem]:
    try:
        return list(check(rollout))
    except SlipwayError as failure:
        return [Problem(failure.message, failure.remedy)]

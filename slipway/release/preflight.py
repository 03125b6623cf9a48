"""Preflight: everything that can be known before anything is touched. All findings are told at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from slipway.release.phase import Phase
from slipway.release.preflight_checks import CHECKS, Check
from slipway.release.preflight_finding import Finding
from slipway.release.rollout import Rollout
from slipway.secrets.contract import config_version
from slipway.settings.errors import BadInput, SlipwayError


class PreflightPhase(Phase):
    """Refuses with every reason; warns about what a person should know."""

    name = "preflight"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Run every check at once; the slowest decides how long it takes."""
        with ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="preflight") as pool:
            looking = [pool.submit(_safely, check, rollout) for check in CHECKS]
            found = [finding for looked in looking for finding in looked.result()]
        rollout.warnings.extend(finding.text for finding in found if not finding.refuses)
        refused = [finding for finding in found if finding.refuses]
        if refused:
            kinds = {finding.error for finding in refused}
            raise (BadInput if BadInput in kinds else kinds.pop())(
                refused[0].text
                if len(refused) == 1
                else f"{len(refused)} things stand in the way of a release",
                remedy=refused[0].remedy if len(refused) == 1 else "",
                details=[]
                if len(refused) == 1
                else [f"{f.text} → {f.remedy}" if f.remedy else f.text for f in refused],
            )
        project = rollout.project
        rollout.config = config_version(project.app, project.stack, rollout.outputs, rollout.secrets)


def _safely(check: Check, rollout: Rollout) -> list[Finding]:
    try:
        return list(check(rollout))
    except SlipwayError as failure:
        return [Finding(failure.message, failure.remedy)]

"""Build: the source becomes an immutable, content-addressed build; an unchanged one is found, not made."""

from slipway.build.artifact import made_before
from slipway.build.build import Build, build
from slipway.release.rollout import Phase, Rollout


class BuildSource(Phase[Build]):
    """Touches neither hosts nor bucket."""

    name = "build"
    touches_fleet = False

    def run(self, rollout: Rollout) -> Build:
        options = rollout.options
        if options.build:
            return made_before(rollout.project, options.build)
        return build(
            rollout.project,
            bucket=rollout.stack.bucket,
            trusts=rollout.stack.signing.trusts_build,
            progress=rollout.progress,
            redact=rollout.redact,
            unsandboxed=options.unsandboxed,
        )

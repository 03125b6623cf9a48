"""The project's folder as the Automation API sees it. Never changes which stack a bare `pulumi` acts on."""

from __future__ import annotations

from pulumi.automation import LocalWorkspace

from slipway.platforms.aws.pulumi.process import Cli
from slipway.progress import Progress
from slipway.settings.project import Project


class Workspace(LocalWorkspace):
    """`select` in the API's own workspace makes prod the target of the next bare `pulumi destroy`."""

    def select_stack(self, stack_name: str) -> None:
        """CommandError if there is no such stack."""
        self.pulumi_command.run(
            ["stack", "--show-name", "--stack", stack_name], self.work_dir, {**self.env_vars}
        )

    def create_stack(self, stack_name: str) -> None:
        """Make it."""
        self.pulumi_command.run(
            ["stack", "init", stack_name, "--no-select"], self.work_dir, {**self.env_vars}
        )


def open_workspace(project: Project, progress: Progress) -> Workspace:
    """The workspace of `project`. InvalidVersionError: the CLI is too old or too new."""
    return Workspace(
        work_dir=str(project.root),
        pulumi_command=Cli(progress),
        env_vars={"PULUMI_SKIP_UPDATE_CHECK": "true"},
    )

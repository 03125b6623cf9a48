"""A project opened for one stack: where it lies, what its app asks for, what the stack is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slipway.settings.app import App
from slipway.settings.fit import check_fit
from slipway.settings.load import FILE_NAME, load_app
from slipway.settings.stack import Stack
from slipway.settings.stack_file import STATE_FOLDER, find_root, load_stack


@dataclass(frozen=True)
class Project:
    """One stack of one project, and its app."""

    root: Path
    """Folder of Pulumi.yaml."""
    stack: Stack
    app: App
    app_dir: Path
    """Folder of slipway.toml."""
    state_dir: Path
    """What the operator's side keeps for this stack (ssh_config, CA, outputs); not committed."""

    @property
    def toml(self) -> Path:
        """The app's slipway.toml."""
        return self.app_dir / FILE_NAME

    @property
    def context(self) -> Path:
        """The folder a build is made from."""
        return (self.app_dir / self.app.build.context).resolve()

    @property
    def fleet_id(self) -> str:
        """Tells this fleet from all others on one machine and in one account: `board-local`."""
        return self.stack.fleet_id


def open_project(stack_name: str, start: Path | None = None) -> Project:
    """The project around `start` (default: the working directory) with stack `stack_name`.

    Raises BadInput: no project, no such stack, or anything wrong in Pulumi.<stack>.yaml or slipway.toml,
    each by itself or the two together.
    """
    root = find_root(start or Path.cwd())
    stack = load_stack(root, stack_name)
    app_dir = (root / stack.app).resolve()
    app = load_app(app_dir / FILE_NAME)
    check_fit(app, stack, root=root, app_dir=app_dir)
    state_dir = root / STATE_FOLDER / stack_name
    return Project(root=root, stack=stack, app=app, app_dir=app_dir, state_dir=state_dir)

"""A one-off task with the live release's code and env."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.progress import Progress
from slipway.release.open import OpenStack
from slipway.settings.errors import BadInput
from slipway.settings.project import Project


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    host: str
    release: int
    exit: int
    seconds: float
    output: str

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "host": self.host,
            "release": self.release,
            "exit": self.exit,
            "seconds": self.seconds,
            "output": self.output.splitlines(),
        }


def run_task(
    project: Project, command: list[str], *, host: str | None, timeout: int, progress: Progress
) -> Outcome:
    """Run `command` on a worker host (else a web host) and wait for its end."""
    stack = OpenStack(project)
    live = stack.ledger.head().live
    if live is None:
        raise BadInput(
            "nothing is live on this stack yet", remedy=f"slipway release --stack {project.stack.name}"
        )
    hosts = sorted(stack.app_hosts, key=lambda found: found.role == "web")
    chosen = next((found for found in hosts if host in (None, found.name)), None)
    if chosen is None:
        raise BadInput(f"no host {host} runs the app", remedy=f"one of {', '.join(h.name for h in hosts)}")
    with progress.phase("run", f"on {chosen.name}, release {live}"):
        done = chosen.agent.run(release=live, scope="task", argv=command, timeout=timeout)
    output = stack.redactor.text("\n".join(done.tail))
    return Outcome(chosen.name, live, done.exit, done.seconds, output + "\n" if output else "")

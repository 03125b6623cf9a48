"""The fleet and the host that attacks are tried on."""

from tests.unit.agent.conftest import world
from tests.unit.hosts.conftest import plan

__all__ = ["plan", "world"]

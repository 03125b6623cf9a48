"""One machine of the cloud around the local fleet, looked at from outside and from within."""

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from slipway.platforms.local.docker import Docker
from slipway.settings import Role
from tests.fleet.metadata import Metadata


@dataclass
class Instance:
    """One machine that was just started, and what the metadata service says of it."""

    id: str
    role: Role
    address: str
    container: str
    user_id: str
    metadata: Metadata
    said: str = ""
    """What its user data said, if a test keeps it."""

    @property
    def name(self) -> str:
        return f"{self.role}-{self.id[-8:]}"

    def sh(self, script: str) -> str:
        return Docker().execute(self.container, script).strip()

    def agent(self, command: str) -> dict[str, Any]:
        argv = ["docker", "exec", "-i", self.container, "slipway-agent", command]
        done = subprocess.run(argv, input="{}", capture_output=True, text=True, check=False)
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def live(self) -> int | None:
        status = self.agent("status")
        return status["slots"][status["active"]]["release"] if status["active"] else None

    def answers(self, path: str, *headers: str) -> str:
        """Status that the host's HAProxy gives someone in its network."""
        given = [part for header in headers for part in ("-H", header)]
        argv = ["curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", *given]
        url = f"http://{self.address}:8080{path}"
        return subprocess.run([*argv, url], capture_output=True, text=True, check=False).stdout.strip()

    def wait_until_it_serves(self, release: int, seconds: float) -> float:
        """How long it took until the host serves `release`, and nothing else."""
        begun = time.monotonic()
        while self.live != release or self.answers("/-/slipway/ready") != "200":
            assert time.monotonic() < begun + seconds, f"{self.name} serves {self.live}, not {release}"
            time.sleep(1)
        return time.monotonic() - begun

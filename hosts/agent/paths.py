"""Every path, port and socket the agent touches, below one root so that tests have a host of their own."""

from __future__ import annotations


class Paths:
    """Absolute paths; `root` is "" on a host and a temporary folder in tests."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.etc = f"{root}/etc/slipway"
        self.host = f"{self.etc}/host.json"
        self.ca = f"{self.etc}/ca.pem"
        self.endpoints = f"{self.etc}/endpoints.json"
        self.host_key = f"{root}/etc/ssh/ssh_host_ed25519_key.pub"
        self.setup_digest = f"{self.etc}/setup.digest"
        self.env = f"{self.etc}/env"
        self.units = f"{root}/etc/systemd/system"
        self.lib = f"{root}/var/lib/slipway"
        self.state = f"{self.lib}/state.json"
        self.lock = f"{self.lib}/lock"
        self.srv = f"{root}/srv/slipway"
        self.layers = f"{self.srv}/layers"
        self.builds = f"{self.srv}/builds"
        self.slots = f"{self.srv}/slots"
        self.work = f"{self.srv}/unfinished"
        self.run = f"{root}/run/slipway"
        self.cron_lease = f"{self.run}/cron-owner.json"
        self.map = f"{root}/etc/haproxy/slots.map"
        self.haproxy = f"{root}/run/haproxy/admin.sock"
        self.live_port = 8080
        self.candidate_port = 8081

    def env_file(self, slot: str, scope: str) -> str:
        """The 0600 environment file of a process or scope in `slot`."""
        return f"{self.env}/{slot}/{scope}.env"

    def slot(self, slot: str) -> str:
        """The symlink to the build that `slot` runs."""
        return f"{self.slots}/{slot}"

    def build(self, build: str) -> str:
        """The merged tree of a build."""
        return f"{self.builds}/{build}"

    def layer(self, digest: str) -> str:
        """A layer's folder: `root/` (its tree) and `complete` (the marker that makes it trusted)."""
        return f"{self.layers}/{digest.removeprefix('sha256:')}"

    def unit(self, unit: str) -> str:
        """A unit file's path."""
        return f"{self.units}/{unit}"

"""Announce: publish the host's ssh key where only this host can write, so that operators can pin it."""

from __future__ import annotations

from . import durable
from .aws import Cloud
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `announce`."""
    cloud = Cloud(paths, host.region)
    user_id, key = cloud.user_id(), host_key(paths)
    cloud.put_object(host.builds().bucket, f"hosts/{user_id}", f"{key}\n".encode())
    return {"user_id": user_id, "host_key": key}


def host_key(paths: Paths) -> str:
    """`ssh-ed25519 AAAA…`, without a comment."""
    words = (durable.read(paths.host_key) or b"").decode().split()
    if len(words) < 2 or words[0] != "ssh-ed25519":
        raise AgentError("not_set_up", f"{paths.host_key} holds no ssh-ed25519 key")
    return " ".join(words[:2])

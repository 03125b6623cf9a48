"""What the HAProxies of edge and web have in common: judged before a reload, and never restarted."""

from __future__ import annotations

from hosts.effect import Effect, running, take_up
from hosts.file import HostFile
from hosts.render import verbatim

PACKAGES = ("haproxy",)
CONFIG = "/etc/haproxy/haproxy.cfg"
BODY_LIMIT = "/etc/haproxy/body_limit.lua"
RELOAD = "/usr/local/lib/slipway/reload-haproxy"
STREAM_SECONDS = 300
"""Longest silence of an answer in progress, such as a slow query or a server-sent event stream."""
MAX_CONNECTIONS = 8_000
"""Twice as many file descriptors must fit a container's usual limit of 20,000."""
_CHECK = "haproxy -c -f {}"


def common_files() -> list[HostFile]:
    """The unit's settings and the page shown while no host can answer."""
    return [
        HostFile("/etc/systemd/system/haproxy.service.d/slipway.conf", verbatim("systemd/haproxy.conf")),
        HostFile(RELOAD, verbatim("haproxy/reload.sh"), "0755"),
        HostFile("/etc/haproxy/errors/503.http", verbatim("haproxy/503.http").replace("\n", "\r\n", 6)),
    ]


def config_file(text: str) -> HostFile:
    """The configuration; one that HAProxy refuses never takes the place of one that works."""
    return HostFile(CONFIG, text, "0640", "root", "haproxy", check=_CHECK)


def body_limit_file() -> HostFile:
    """The filter that counts bodies which do not say their length."""
    return HostFile(BODY_LIMIT, verbatim("haproxy/body_limit.lua"))


def serve(*files: HostFile) -> list[Effect]:
    """Serve what is in `files`: a reload hands the listening sockets over, old connections live on."""
    return [running("haproxy.service"), take_up("haproxy reload", files, RELOAD)]

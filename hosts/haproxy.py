"""What the HAProxies of edge and web have in common: checked before a reload, and never restarted."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import io
from collections.abc import Sequence

from pyinfra.operations import files, systemd

from hosts.operations import install, on_change
from hosts.render import render, template, verbatim
from hosts.units import drop_in

PACKAGES = ("haproxy",)
CONFIG = "/etc/haproxy/haproxy.cfg"
BODY_LIMIT = "/etc/haproxy/body_limit.lua"
RELOAD = "/usr/local/lib/slipway/reload-haproxy"
CHECK_SECONDS = 5
"""How long an answer to a health check may take; a server that takes longer three times in a row hangs."""
MAX_CONNECTIONS = 8_000
"""Twice as many file descriptors must fit a container's usual limit of 20,000."""
SPARE_CONNECTIONS = 16
"""Connections of one address above its limit that are accepted, to be answered with 429."""
_ERROR_PAGE = "/etc/haproxy/errors/503.http"


def deploy() -> None:
    """The unit's settings, the reload command, and the page shown while no host can answer."""
    drop_in("haproxy.service", "haproxy.conf")
    files.put(name=RELOAD, src=template("haproxy/reload.sh"), dest=RELOAD, mode="755")
    # HTTP wants CRLF after each of its six header lines.
    page = io.StringIO(verbatim("haproxy/503.http").replace("\n", "\r\n", 6))
    files.put(name=_ERROR_PAGE, src=page, dest=_ERROR_PAGE, mode="644")


def body_limit() -> str:
    """Place the filter that counts bodies which do not say their length. Its path."""
    source = template("haproxy/body_limit.lua")
    files.put(name=BODY_LIMIT, src=source, dest=BODY_LIMIT, mode="644")
    return BODY_LIMIT


def configuration(parts: Sequence[str], *, lua: str, with_tls: bool) -> str:
    """The text of haproxy.cfg: `parts`, with what the process needs for them."""
    return render("haproxy/haproxy.cfg.j2", maxconn=MAX_CONNECTIONS, parts=parts, lua=lua, with_tls=with_tls)


def serve(configuration: str, *also: str) -> None:
    """Serve `configuration`, which refers to the files `also`. One that HAProxy refuses is never installed.

    A reload hands the listening sockets over; open connections live on.
    """
    install(
        name=CONFIG, src=configuration, dest=CONFIG, group="haproxy", mode="640", validate="haproxy -c -f {}"
    )
    systemd.service(name="haproxy", service="haproxy.service", running=True, enabled=True)
    on_change(name="haproxy reload", files=[CONFIG, *also], command=RELOAD)

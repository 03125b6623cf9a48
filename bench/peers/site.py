"""Where the peers deploy: the stack's own edge and web hosts, beside what slipway has there.

On the edge a HAProxy of its own listens with the site's certificate and a sticky cookie and checks each web
host once a second; on each web host a systemd unit runs the app from /opt/peers/current, with the env, the
runtime and the packages of slipway's live release, copied on the host itself. What a deploy changes is the
app's own files. `Site` makes all of this and takes it away.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from slipway.fleet.fleet import FleetHost
from slipway.stack import STICKY_COOKIE, LiveStack

ROOT = "/opt/peers"
PORT = 9080
EDGE_PORT = 9443
KEPT = (".runtime", "node_modules")
"""Parts of the build that a change of a line leaves alone."""
EDGE_SOCKET = "/run/peers/edge.sock"
_FIREWALL = "/etc/slipway/firewall.nft"

EDGE = """\
global
    stats socket {socket} mode 600 level admin
    maxconn 8000
defaults
    mode http
    option redispatch 1
    option forwardfor
    retries 3
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 7d
    timeout http-keep-alive 60s
frontend site
    bind :{port} ssl crt /etc/haproxy/site.pem alpn http/1.1
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Load-Test verified
    default_backend web
backend web
    balance leastconn
    cookie {cookie} insert indirect nocache
    option httpchk
    http-check send meth GET uri {ready} ver HTTP/1.1 hdr Host {host}
    http-check expect status 200
    default-server check inter 1s fastinter 500ms downinter 200ms rise 1 fall 2
{servers}
"""
EDGE_UNIT = """\
[Service]
Type=notify
RuntimeDirectory=peers
ExecStart=/usr/sbin/haproxy -Ws -f {root}/edge.cfg
KillMode=mixed
"""
APP_UNIT = """\
[Unit]
StartLimitIntervalSec=0
[Service]
Type=exec
User=peers
WorkingDirectory={root}/current
EnvironmentFile={root}/web.env
Environment=PORT={port} HOST=0.0.0.0 HOME=/tmp READY_FILE=/tmp/ready
Environment=PATH={root}/current/.runtime/bin:{root}/current/node_modules/.bin:/usr/local/bin:/usr/bin:/bin
ExecStart=/bin/sh -c "exec {command}"
Restart=always
RestartSec=1
KillMode=mixed
KillSignal={signal}
TimeoutStopSec={drain}
SuccessExitStatus=130 143
MemoryMax={memory}
PrivateTmp=yes
NoNewPrivileges=yes
LimitNOFILE=65536
"""
_COUNTERS = """\
table inet bench_peers
delete table inet bench_peers
table inet bench_peers {{
    counter ssh {{ }}
    counter bucket {{ }}
    chain input {{
        type filter hook input priority -20; policy accept;
        tcp dport 22 counter name ssh
        {bucket}
    }}
}}
"""


@dataclass(frozen=True)
class Bytes:
    """What hosts received since the counters were made, with the headers of each packet."""

    operator: int
    """Over ssh: from the operator's machine, also on its way through a tunnel."""
    bucket: int
    """From the stack's builds bucket."""

    def __sub__(self, before: Bytes) -> Bytes:
        return Bytes(self.operator - before.operator, self.bucket - before.bucket)


class Site:
    """The hosts as the peers find them."""

    def __init__(self, live: LiveStack, folder: Path) -> None:
        """`folder`: for the app's files, as a peer's checkout has them."""
        self.live, self.app = live, folder / "app"
        self.hosts = live.fleet.hosts
        self.web, self.edge = live.fleet.web, live.fleet.by_role("edge")[0]
        self.ssh_config = live.outputs.ssh_config_path
        self.ready = str(live.app.processes["web"].ready)

    @property
    def address(self) -> tuple[str, int]:
        """Where the peers' edge listens."""
        return self.edge.facts.address, EDGE_PORT

    def reset(self) -> None:
        """Stop the app of the peer before this one, and remove its releases."""
        for host in self.web:
            _on(host, f"systemctl stop peer-web; rm -rf {ROOT}/releases {ROOT}/current {ROOT}/shared")
            _on(host, f"mkdir -p {ROOT}/releases {ROOT}/shared && cp -al {ROOT}/base/. {ROOT}/shared/")

    def bytes(self) -> Bytes:
        """What all hosts have received."""
        found = {"ssh": 0, "bucket": 0}
        for host in self.hosts:
            for each in json.loads(_on(host, "nft -j list counters table inet bench_peers"))["nftables"]:
                if "counter" in each:
                    found[each["counter"]["name"]] += each["counter"]["bytes"]
        return Bytes(found["ssh"], found["bucket"])

    def make(self) -> None:
        """Set all hosts up."""
        endpoint = urlsplit(self.live.outputs.builds.endpoint or "")
        for host in self.hosts:
            is_source = host.facts.address == endpoint.hostname
            bucket = "" if is_source else f"tcp sport {endpoint.port or 443} counter name bucket"
            _on(host, "nft -f -", _COUNTERS.format(bucket=bucket))
        for host in self.web:
            self._make_web(host)
        self._make_edge()
        self._fetch_app()

    def unmake(self) -> None:
        """Take everything away; nothing is left of the peers."""
        for host in self.hosts:
            _on(
                host,
                "systemctl stop peer-web peer-edge 2>/dev/null; rm -f /etc/systemd/system/peer-*.service; "
                f"systemctl daemon-reload; rm -rf {ROOT}; nft delete table inet bench_peers 2>/dev/null; "
                f"nft -f {_FIREWALL}; id -u peers >/dev/null 2>&1 && userdel peers; true",
            )

    def _make_web(self, host: FleetHost) -> None:
        web = self.live.app.processes["web"]
        slot = _live_slot(host)
        source = f"/srv/slipway/slots/{slot}"
        unit = APP_UNIT.format(
            root=ROOT,
            port=PORT,
            command=web.command,
            signal=web.stop_signal,
            drain=web.drain_seconds,
            memory=web.memory_max,
        )
        _on(host, "id -u peers >/dev/null 2>&1 || useradd --system --no-create-home peers")
        kept = " ".join(f"{source}/{name}" for name in KEPT)
        _on(host, f"rm -rf {ROOT} && mkdir -p {ROOT}/base && cp -a {kept} {ROOT}/base/")
        _on(host, f"install -m 600 /etc/slipway/env/{slot}/web.env {ROOT}/web.env")
        _on(host, "cat >/etc/systemd/system/peer-web.service && systemctl daemon-reload", unit)
        allowed = f"ip saddr {self.edge.facts.address} tcp dport {PORT} accept"
        _on(host, f"nft -f {_FIREWALL} && nft add rule inet slipway input {allowed}")

    def _make_edge(self) -> None:
        servers = "\n".join(
            f"    server {host.name} {host.facts.address}:{PORT} cookie {host.name}" for host in self.web
        )
        config = EDGE.format(
            socket=EDGE_SOCKET,
            port=EDGE_PORT,
            cookie=STICKY_COOKIE,
            ready=self.ready,
            host=urlsplit(self.live.url).hostname,
            servers=servers,
        )
        _on(self.edge, f"mkdir -p {ROOT} && cat >{ROOT}/edge.cfg", config)
        _on(self.edge, "cat >/etc/systemd/system/peer-edge.service", EDGE_UNIT.format(root=ROOT))
        _on(self.edge, f"nft -f {_FIREWALL} && nft add rule inet slipway input tcp dport {EDGE_PORT} accept")
        _on(self.edge, "systemctl daemon-reload && systemctl restart peer-edge")

    def _fetch_app(self) -> None:
        """The app's files of the live release, without what never changes here."""
        host = self.web[0]
        shutil.rmtree(self.app, ignore_errors=True)
        self.app.mkdir(parents=True)
        excluded = [f"--exclude=/{name}" for name in KEPT]
        source = f"{host.name}:/srv/slipway/slots/{_live_slot(host)}/"
        run(["rsync", "-a", "-e", f"ssh -F {self.ssh_config}", *excluded, source, f"{self.app}/"])


@contextmanager
def site_of(live: LiveStack, folder: Path) -> Generator[Site]:
    """A site that is taken away at the end, also after Ctrl-C."""
    site = Site(live, folder)
    site.unmake()
    try:
        site.make()
        yield site
    finally:
        site.unmake()


def run(command: Sequence[str], folder: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program of this machine; what it wrote. Raises RuntimeError with that if it fails."""
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _live_slot(host: FleetHost) -> str:
    return next(name for name, slot in host.agent.status().slots.items() if slot.state == "live")


def _on(host: FleetHost, script: str, stdin: str = "") -> str:
    done = host.connection.run(["sh", "-c", script], stdin.encode())
    if done.code:
        raise RuntimeError(f"{host.name}: `{script}` ended with {done.code}: {done.stderr}")
    return done.stdout

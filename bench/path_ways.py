"""The ways from a client to the app that `bench.path` compares: each a few processes on this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.record import ROOT
from hosts import edge, web
from hosts.plan import BLUE_PORT, GREEN_PORT, FleetPlan
from tests.ports import free_port
from tests.unit.hosts.conftest import fleet_plan, split
from tests.unit.hosts.live import moved

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HAPROXY = """
global
    maxconn 8000
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
listen plain
    bind 127.0.0.1:{port}{tls}
    server next 127.0.0.1:{next}
"""
"""HAProxy with nothing but a bind and a server; it keeps and reuses connections by itself."""
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes auto;
worker_rlimit_nofile 20000;
events {{ worker_connections 8000; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream next {{ server 127.0.0.1:{next}; keepalive 64; }}
  map $http_upgrade $said {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; keepalive_requests 10000000;
    location / {{
      proxy_pass http://next; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $said;
    }}
  }}
}}
"""
CADDY = """
{{
    admin off
    auto_https off
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{next}
}}
"""
NGINX_AS_EDGE = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes auto;
worker_rlimit_nofile 20000;
events {{ worker_connections 8000; }}
http {{
  log_format line escape=json '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
    '"path":"$uri","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"id":"$request_id"}}';
  access_log syslog:server=127.0.0.1:{log} line; client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  limit_req_zone $binary_remote_addr zone=requests:10m rate=1000000r/s;
  limit_conn_zone $binary_remote_addr zone=connections:10m;
  upstream next {{ hash $cookie_route consistent; server 127.0.0.1:{next}; keepalive 64; }}
  map $http_upgrade $said {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096; keepalive_requests 10000000; client_max_body_size 1m;
    ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    limit_req zone=requests burst=1000000 nodelay; limit_conn connections 60000;
    location / {{
      proxy_pass http://next; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $said;
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Request-Id $request_id;
      add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
      add_header X-Content-Type-Options nosniff always; add_header X-Frame-Options DENY always;
      add_header Referrer-Policy strict-origin-when-cross-origin always;
      add_header X-Request-Id $request_id always; add_header Set-Cookie "route=1; Secure; HttpOnly; Path=/";
    }}
  }}
}}
"""
"""nginx with the edge's duties: TLS, limits for an address, sticky cookie, headers, a log line by syslog."""
CADDY_AS_EDGE = """
{{
    admin off
    auto_https off
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls {pem} {pem}
    log {{
        output net udp/127.0.0.1:{log}
        format json
    }}
    header {{
        Strict-Transport-Security "max-age=31536000; includeSubDomains"
        X-Content-Type-Options nosniff
        X-Frame-Options DENY
        Referrer-Policy strict-origin-when-cross-origin
    }}
    request_body {{
        max_size 1MB
    }}
    reverse_proxy 127.0.0.1:{next} {{
        lb_policy cookie
    }}
}}
"""
"""Caddy with the edge's duties but for the limits of an address, which its package does not have."""

OTHERS = {"nginx": NGINX, "caddy": CADDY, "nginx-edge": NGINX_AS_EDGE, "caddy-edge": CADDY_AS_EDGE}
"""The configurations of tiers that are not HAProxy, by the tier's name."""
UNLOGGED = "-unlogged"
OURS = {"edge", "web", f"edge{UNLOGGED}", f"web{UNLOGGED}"}
"""Tiers of slipway: a host's configuration; unlogged: without a line for each request."""
WITH_TLS = {"edge", "edge-unlogged", "haproxy-tls", "nginx-edge", "caddy-edge"}


@dataclass(frozen=True)
class Way:
    """Where it begins, and the processes of each tier by the tier's name."""

    port: int
    tls: bool
    tiers: Mapping[str, int]

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time that each tier has used, with its children."""
        return {name: sum(map(_seconds, _tree(pid))) for name, pid in self.tiers.items()}


def ways() -> dict[str, tuple[str, ...]]:
    """The tiers of each way, the outermost first; ways whose program is not installed are left out."""
    known: dict[str, tuple[str, ...]] = {
        "app": (),
        "haproxy": ("haproxy",),
        "nginx": ("nginx",),
        "caddy": ("caddy",),
        "web": ("web",),
        "haproxy2": ("haproxy-tls", "haproxy"),
        "whole": ("edge", "web"),
        "unlogged": ("edge-unlogged", "web-unlogged"),
        "edge": ("edge",),
        "nginx-edge": ("nginx-edge",),
        "caddy-edge": ("caddy-edge",),
    }
    return {name: tiers for name, tiers in known.items() if all(_found(_program(tier)) for tier in tiers)}


@contextmanager
def way(tiers: Sequence[str], folder: Path) -> Generator[Way]:
    """The app and, before it, `tiers`, all started and answering."""
    plan = _plan(folder)
    port = free_port()
    with ExitStack() as stack:
        log = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        log.bind(("127.0.0.1", 0))
        pids = {"app": stack.enter_context(_run([sys.executable, "-m", "bench.path_app", str(port)], port))}
        for number, tier in reversed(list(enumerate(tiers))):
            own = folder / f"{number}-{tier}"
            own.mkdir()
            port, command = _tier(tier, port, own, plan, log.getsockname()[1])
            pids[tier] = stack.enter_context(_run(command, port))
        tls = bool(tiers) and tiers[0] in WITH_TLS
        if OURS & {*tiers}:
            time.sleep(2.5)  # until their health checks have passed
        yield Way(port, tls, pids)


def _plan(folder: Path) -> FleetPlan:
    """A fleet of one edge and one web host, and limits that this load does not reach."""
    plan = split(fleet_plan(folder), edge="edge", web1="web", data1="data")
    limits = plan.app.limits.model_copy(
        update={"requests_per_minute": 1_000_000_000, "connections_per_ip": 100_000}
    )
    assert plan.app.web
    process = plan.app.web.model_copy(update={"instances": 1})
    app = plan.app.model_copy(update={"limits": limits, "processes": {"web": process}})
    return replace(plan, app=app, outputs=plan.outputs.model_copy(update={"uploads": None}))


def _tier(tier: str, behind: int, folder: Path, plan: FleetPlan, log: int) -> tuple[int, list[str]]:
    """The port and command of a tier before the port `behind`, which logs to the port `log`."""
    port = free_port()
    config = folder / "config"
    if tier in OTHERS:
        names = {"port": port, "next": behind, "folder": folder, "log": log, "pem": plan.site_pem}
        config.write_text(OTHERS[tier].format(**names))
        arguments = ("-c",) if _program(tier) == "nginx" else ("run", "--adapter", "caddyfile", "--config")
        return port, [_program(tier), *arguments, str(config)]
    if tier in OURS:
        text = _ours(tier.removesuffix(UNLOGGED), port, behind, folder, plan)
        text = text.replace("log 127.0.0.1:9 ", f"log 127.0.0.1:{log} ")
        if tier.endswith(UNLOGGED):
            text = re.sub(r"^ *log (127\.0\.0\.1|global).*\n", "", text, flags=re.MULTILINE)
        config.write_text(text)
    else:
        tls = f" ssl crt {plan.site_pem}" if tier == "haproxy-tls" else ""
        config.write_text(HAPROXY.format(port=port, next=behind, tls=tls))
    return port, ["haproxy", "-db", "-f", str(config)]


def _ours(tier: str, port: int, behind: int, folder: Path, plan: FleetPlan) -> str:
    """A host's own configuration on ports of this machine, with one slot live."""
    shutil.copy(plan.site_pem, folder / "site.pem")
    (folder / "slots.map").write_text("active blue\nidle green\nready-blue /health\nready-green /health\n")
    ports = {"127.0.0.1:8404": free_port()}
    if tier == "edge":
        ports |= {":80": free_port(), ":443": port, f"{plan.outputs.by_role('web')[0].address}:8080": behind}
        return moved(edge.configuration(plan), folder, ports)
    ports |= {":8080": port, "127.0.0.1:8081": free_port()}
    ports |= {f"127.0.0.1:{BLUE_PORT + 1}": behind, f"127.0.0.1:{GREEN_PORT + 1}": free_port()}
    return moved(web.configuration(plan), folder, ports)


def _program(tier: str) -> str:
    return tier.partition("-")[0] if tier in OTHERS else "haproxy"


def _found(program: str) -> str | None:
    return shutil.which(program, path=PATH)


@contextmanager
def _run(command: list[str], port: int) -> Generator[int]:
    """Start `command` and wait until it listens on `port`; its process id."""
    program = _found(command[0]) or command[0]
    process = subprocess.Popen([program, *command[1:]], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{' '.join(command)} does not listen on {port}")
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(each) for each in children)]


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

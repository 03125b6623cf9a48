"""A toy release, too small to fail by itself, put on one host by its agent alone."""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import zstandard

from hosts.agent.signature import ENV, RELEASE, env_digest, env_statement, manifest_id, statement
from slipway.settings import Project
from slipway.stack import LiveStack

WEB = """\
import http.server, os
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ["SLIPWAY_RELEASE"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever()
"""
WORKER = """\
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), os._exit(0)))
pathlib.Path(os.environ["READY_FILE"]).touch()
while True: time.sleep(60)
"""


class AgentHost:
    """A host of the fleet, asked as the pipeline asks it, and troubled as hosts are."""

    def __init__(self, project: Project, name: str) -> None:
        self.project = project
        self.name = name
        self.container = f"{project.fleet_id}-{name}"
        status = self.ask("status")
        self.fence, self.step = status["fence"], status["step"]
        self.site: str = json.loads(self.sh("cat /etc/slipway/host.json"))["site"]

    def sh(self, script: str, *arguments: str) -> str:
        argv = ["docker", "exec", "-i", self.container, "bash", "-s", *arguments]
        return subprocess.run(argv, input=script, capture_output=True, text=True, check=True).stdout

    def ask(self, command: str, **request: object) -> dict[str, Any]:
        """The agent's answer, whether it went well or not."""
        argv = ["docker", "exec", "-i", self.container, "slipway-agent", command]
        done = subprocess.run(argv, input=json.dumps(request), capture_output=True, text=True, check=False)
        return json.loads(done.stdout.splitlines()[-1])

    def do(self, command: str, **request: object) -> dict[str, Any]:
        """The same under the fence; it must go well."""
        answer = self.ask(command, fence=self.fence, step=self.step, **request)
        assert answer["ok"], answer
        return answer

    @property
    def live(self) -> int:
        """The live release; 0 if there is none."""
        status = self.ask("status")
        return status["slots"][status["active"]]["release"] if status["active"] else 0

    def stage(self, release: int, **changes: object) -> dict[str, Any]:
        """Stage a toy as `release`, whatever comes of it."""
        layer = publish(self.project, f"toy {release}")
        processes = {
            "web": {"command": "python3 web.py", "role": "web", "drain_seconds": 5},
            "worker": {"command": "python3 worker.py", "role": "worker", "drain_seconds": 5},
        }
        manifest: dict[str, Any] = {"layers": [layer], "processes": processes}
        request: dict[str, Any] = {
            "release": release,
            "config": "",
            "manifest": manifest,
            "env": {},
            "site": self.site,
            **changes,
        }
        build = manifest_id(request["manifest"])
        request = {"build": build, "ticket": self.ticket(release, build), **request}
        request = {"env_ticket": self.env_ticket(request), **request}
        return self.ask("stage", fence=self.fence, step=self.step, **request)

    def ticket(self, release: int, build: str) -> dict[str, object]:
        """What lets the host serve the toy, signed as an operator signs it."""
        decided = {"record": release, "fence": self.fence, "floor": 0}
        content = statement(stack=self.project.fleet_id, release=release, build=build, **decided)
        signer, signature = LiveStack(self.project).signing.sign(content, RELEASE)
        return {**decided, "signer": signer, "signature": signature}

    def env_ticket(self, request: dict[str, Any]) -> dict[str, object]:
        """What lets the host run the toy with its env, for every process that it may be a host of."""
        env: dict[str, dict[str, str]] = {name: {} for name in request["manifest"]["processes"]}
        env |= request["env"]
        digests = {scope: env_digest(scope, "", values) for scope, values in env.items()}
        content = env_statement(
            stack=self.project.fleet_id,
            release=request["release"],
            build=request["build"],
            fence=self.fence,
            config=request["config"],
            site=request["site"],
            secret_names=request.get("secret_names") or [],
            digests=digests,
        )
        signer, signature = LiveStack(self.project).signing.sign(content, ENV)
        return {"digests": digests, "salts": {}, "signer": signer, "signature": signature}

    def ship(self, release: int) -> None:
        """Stage and boot a toy; the switch is the test's."""
        staged = self.stage(release)
        assert staged["ok"], staged
        self.do("boot", release=release)

    def routes(self) -> tuple[str, str, str]:
        """Which slot serves: by HAProxy, by its map file, by state.json."""
        file = self.sh("head -1 /etc/haproxy/slots.map").split()[1]
        status = self.ask("status")
        return status["haproxy"]["active"], file, status["active"]

    def running(self, process: str) -> list[str]:
        """The process's units that are up, whatever the agent thinks."""
        listed = self.sh(f"systemctl list-units --plain --no-legend --state=active 'slipway-{process}@*'")
        return [line.split()[0] for line in listed.splitlines()]


def publish(project: Project, note: str, content: bytes | None = None) -> dict[str, object]:
    """Put a layer of the toy into the builds bucket; `content` in its place makes it a corrupt one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in (("web.py", WEB), ("worker.py", WORKER), ("note", note)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    packed = zstandard.compress(buffer.getvalue())
    digest = hashlib.sha256(packed).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "layer")
        path.write_bytes(packed if content is None else content)
        LiveStack(project).bucket.put_file(f"layers/sha256-{digest}.tar.zst", path)
    return {"kind": "app", "digest": f"sha256:{digest}", "size": len(packed), "unpacked_size": 10_000}

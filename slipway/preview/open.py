"""Open a preview, or bring one that is open to another build."""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hosts.agent.preview import SIGNED_FOR, statement
from slipway.build.artifact import made_before, made_elsewhere
from slipway.build.build import Build, build, publish
from slipway.build.manifest import Manifest, short
from slipway.preview.close import LEASE_SECONDS, tidy
from slipway.preview.host import Begun, PreviewHost
from slipway.preview.own import Own, key_of, url_of
from slipway.progress import Progress
from slipway.settings import App, BadInput, NeedsPerson
from slipway.stack import LiveStack

ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Open:
    """A preview that answers at its URL."""

    name: str
    url: str
    build: str
    fresh: bool
    seconds: float
    steps: Mapping[str, float]

    def as_json(self) -> dict[str, object]:
        return {**vars(self), "steps": dict(self.steps)}


def open_preview(
    live: LiveStack, name: str, progress: Progress, *, artifact: str = "", commit: str = ""
) -> Open:
    """Open the preview `name`, or update it; `artifact`: a build that was made before, as for a release.

    With `commit` it is the folder of a build of that commit, which need not be here. The build then says what
    its processes and their env are; how previews are made (`[preview]`, the stack) is what is here.

    BadInput: the stack carries no previews, or the app cannot be one. AgentError: a step failed on the host;
    the preview is then listed with why. LeaseHeld: another command changes previews for too long.
    """
    begun = time.monotonic()
    steps: dict[str, float] = {}
    if commit and not artifact:
        raise BadInput("--commit needs --build FOLDER", remedy="give the folder of `slipway build --output`")
    key = key_of(live)
    host, url = PreviewHost(live), url_of(live, name)
    with progress.phase("build"):
        made = _made(live, artifact, commit, progress)
    manifest = made.manifest
    app = manifest.as_declared(live.app)
    if app.web is None:
        raise BadInput("the app has no process web, so a preview would have no URL")
    _refuse_mixed_uploads(live, app, name)
    steps["build"] = round(time.monotonic() - begun, 3)
    with live.lease(wait_seconds=LEASE_SECONDS):
        published = time.monotonic()
        with progress.phase("publish"):
            layers = [layer.digest for layer in manifest.layers]
            first = host.begin(name, build=manifest.id, layers=layers, url=url)
            publish(made, live.bucket, sign=live.signing.build, progress=progress)
        steps["publish"] = round(time.monotonic() - published, 3)
        with progress.phase("open"):
            own = Own(live, app, name, first.nonce, first.ports, key)
            request = _request(own, first, manifest)
            reply = host.open(name, request, lambda line: progress.line(live.redact(line)))
            tidy(live, host.listed().previews)
    steps |= {step: seconds for step, seconds in reply.seconds.items() if step != "all"}
    with progress.phase("answer"):
        _wait_for_answer(live, url, app.web.health)
    seconds = round(time.monotonic() - begun, 1)
    progress.line(f"preview {name} runs build {short(manifest.id)}")
    return Open(name, url, manifest.id, first.fresh, seconds, steps)


def _refuse_mixed_uploads(live: LiveStack, app: App, name: str) -> None:
    """BadInput if previews share a bucket, and the app does not learn which keys are its own."""
    sources = {var.source for var in app.env.values()}
    shared = live.outputs.uploads and live.platform.preview_prefix(name)
    if shared and "uploads.bucket" in sources and "uploads.prefix" not in sources:
        raise BadInput(
            f"previews of stack {live.name} share one uploads bucket, and the app does not know its own keys",
            remedy='slipway.toml: UPLOADS_PREFIX = { from = "uploads.prefix", optional = true }; its keys'
            " begin with that",
        )


def _made(live: LiveStack, artifact: str, commit: str, progress: Progress) -> Build:
    if commit:
        return made_elsewhere(live.project, artifact, commit)
    if artifact:
        return made_before(live.project, artifact)
    return build(live.project, bucket=live.bucket, trusts=live.signing.trusts_build, progress=progress)


def _request(own: Own, first: Begun, manifest: Manifest) -> dict[str, object]:
    """What the agent needs to open it; values of secrets travel on standard input only."""
    live = own.live
    uploads = own.outputs.uploads
    given: dict[str, object] = {
        "nonce": first.nonce,
        "build": manifest.id,
        "site": urlsplit(own.outputs.url).hostname,
        "uploads_site": urlsplit(uploads.public_endpoint or "").hostname if uploads else None,
        "secret_names": [name for name, var in own.app.env.items() if var.secret or var.source],
        "env": own.env(),
        "seed": live.app.preview.seed or "",
        "seed_seconds": live.app.preview.seed_seconds,
        "smoke": own.smoke(),
        **own.services(),
    }
    content = statement(stack=live.project.fleet_id, preview=own.name, build=manifest.id, given=given)
    signer, signature = live.signing.sign(content, SIGNED_FOR)
    return {
        **given,
        "manifest": manifest.model_dump(mode="json"),
        "signer": signer,
        "signature": signature,
    }


def _wait_for_answer(live: LiveStack, url: str, path: str) -> None:
    """Return once the URL answers 200 through the edge, as a browser would reach it. Raises NeedsPerson."""
    ends = time.monotonic() + ANSWER_SECONDS
    while (problem := _problem(live, url, path)) and time.monotonic() < ends:
        time.sleep(0.2)
    if problem:
        raise NeedsPerson(
            f"the preview runs, and {url}{path} does not answer: {problem}",
            remedy=f"see slipway preview list --stack {live.name}; slipway doctor --stack {live.name}",
        )


def _problem(live: LiveStack, url: str, path: str) -> str:
    host = urlsplit(url).hostname or ""
    context = ssl.create_default_context(cafile=live.outputs.ca_file or None)
    try:
        with (
            socket.create_connection(live.address, timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
            connection.sock = secured
            connection.request("GET", path)
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    return "" if status == 200 else f"it answers {status}"

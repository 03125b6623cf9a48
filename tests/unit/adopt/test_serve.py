"""The server that `init` writes for static sites: what browsers are sent, by Bun itself."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import time
from collections.abc import Generator

import httpx
import pytest

from slipway.adopt.recipe import recipes
from slipway.adopt.write import TEMPLATES
from slipway.build.runtime import install
from slipway.settings import Runtime
from tests.ports import free_port

INLINE = 'document.title = "réady";\n'
PAGE = f"""<!doctype html>
<script>{INLINE}</script>
<script src="https://cdn.example.com/lib/a.js"></script>
<script type="module" src="/app.js"></script>
<script src=//pages.example.com></script>
<script src="https://"></script>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[httpx.Client]:
    """A site of a page, a hashed script, and a file for other programs."""
    root = tmp_path_factory.mktemp("site")
    for name, text in {
        "index.html": PAGE,
        "plain/index.html": "<h1>plain</h1>",
        "app-1a2b3c4d.js": "1",
        ".well-known/security.txt": "Contact: mailto:a@example.com",
        ".env": "A=1",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    (root / "serve.ts").write_text((TEMPLATES / "serve.ts").read_text())
    bun = install(Runtime(name="bun", version="1.4.5"))
    assert bun
    port = free_port()
    env = {"PATH": str(bun.bin), "HOST": "127.0.0.1", "PORT": str(port)}
    process = subprocess.Popen(["bun", "serve.ts"], cwd=root, env=env, executable=bun.bin / "bun")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        while True:
            try:
                client.get("/")
                break
            except httpx.ConnectError:
                assert process.poll() is None
                time.sleep(0.05)
        yield client
    process.terminate()
    assert process.wait(30) == 0


def directives(answer: httpx.Response) -> dict[str, str]:
    policy = answer.headers["content-security-policy"].split("; ")
    return {name: sources for name, _, sources in (each.partition(" ") for each in policy)}


def test_scripts_come_from_the_site_and_from_what_its_page_names(site: httpx.Client):
    digest = base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
    policy = directives(site.get("/"))
    assert (
        policy["script-src"] == f"'self' 'sha256-{digest}' https://cdn.example.com https://pages.example.com"
    )
    assert (policy["object-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert directives(site.get("/plain"))["script-src"] == "'self'"


@pytest.mark.parametrize("path", ["/", "/plain/", "/app-1a2b3c4d.js", "/missing", "/.env"])
def test_every_answer_has_the_headers_for_browsers(site: httpx.Client, path: str):
    headers = site.get(path).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["x-xss-protection"] == "0"


def test_hidden_files_are_not_served_but_those_for_other_programs_are(site: httpx.Client):
    assert site.get("/.env").status_code == 404
    assert site.get("/.well-known/security.txt").text.startswith("Contact:")
    assert site.get("/app-1a2b3c4d.js").headers["cache-control"].endswith("immutable")


def test_the_recipes_for_static_sites_write_it():
    assert {each.id for each in recipes() if "serve.ts" in each.files} == {"static", "static-built"}

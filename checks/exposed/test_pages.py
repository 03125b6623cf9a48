"""The front page and the files it names hold no secret (P3)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from checks.kit.check import check
from checks.kit.leaks import KNOWN, pieces, spelled
from checks.kit.site import Site

FILES = 50
"""At most so many are read."""
_NAMED = re.compile(r"""["'(]([^"'()\s]+\.(?:js|mjs|css|json|html|webmanifest))(?:\?[^"'()\s]*)?["')]""")


@check(
    "P3",
    severity="critical",
    asvs="13.3.1",
    why="everything in a page or its scripts is public, and stays in caches",
    remedy="replace the secret; then keep secrets out of the build and of names with a client prefix",
)
def test_no_secret_reaches_browsers(site: Site) -> None:
    secrets = {name: pieces(spelled(value)) for name, value in site.live.secrets.items()}
    known = {kind: re.compile(pattern) for kind, pattern in KNOWN.items()}
    for path, text in _handed_out(site):
        seen = [name for name, parts in secrets.items() if any(part in text for part in parts)]
        seen += [kind for kind, pattern in known.items() if pattern.search(text)]
        assert not seen, f"{path} holds {', '.join(seen)}"


def _handed_out(site: Site) -> Iterator[tuple[str, str]]:
    """Paths and contents: the front page, the declared static file, and what these name in turn."""
    asset = site.live.app.checks.asset
    waiting: deque[str] = deque(["/", *([asset] if asset else [])])
    known = set(waiting)
    while waiting and len(known) <= FILES:
        path = waiting.popleft()
        text = site.get(path).text
        yield path, text
        for name in _NAMED.findall(text):
            named = urlsplit(urljoin(f"{site.live.url}{path}", name))
            if named.netloc == site.authority and named.path not in known:
                known.add(named.path)
                waiting.append(named.path)

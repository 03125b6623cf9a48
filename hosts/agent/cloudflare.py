"""Records at Cloudflare that prove names to an ACME authority; Debian's client cannot make them."""

from __future__ import annotations

import json

from . import durable
from .errors import AgentError
from .host import Paths, endpoints
from .json_object import JsonObject

API = "https://api.cloudflare.com/client/v4"
TTL_SECONDS = 60
"""Cloudflare's least."""
_ANSWER_SECONDS = 20


class Cloudflare:
    """The zones that the token in `paths.acme_token` may edit."""

    def __init__(self, paths: Paths) -> None:
        self._token = (durable.read(paths.acme_token) or b"").decode().strip()
        self._api = endpoints(paths).get("cloudflare", API)

    def present(self, name: str, value: str) -> None:
        """Make the TXT record `name`, beside others of that name: each edge may be at it."""
        record = {"type": "TXT", "name": name, "content": f'"{value}"', "ttl": TTL_SECONDS}
        self._call("POST", f"/zones/{self._zone(name)}/dns_records", record)

    def cleanup(self, name: str, value: str) -> None:
        """Delete the record, and no other."""
        path = f"/zones/{self._zone(name)}/dns_records"
        for each in self._call("GET", f"{path}?type=TXT&per_page=100&name={name}").sections("result"):
            if each.text("content").strip('"') == value:
                self._call("DELETE", f"{path}/{each.line('id')}")

    def _zone(self, name: str) -> str:
        """The id of the zone in which `name` lies."""
        labels = name.split(".")
        for start in range(len(labels) - 1):
            for zone in self._call("GET", f"/zones?name={'.'.join(labels[start:])}").sections("result"):
                return zone.line("id")
        raise AgentError("cloudflare", f"the token may edit no zone at Cloudflare in which {name} lies")

    def _call(self, method: str, path: str, content: object = None) -> JsonObject:
        """The answer; AgentError with Cloudflare's own words."""
        import urllib.error
        import urllib.request

        request = urllib.request.Request(  # noqa: S310 - the URL is the kit's own
            f"{self._api}{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
                return JsonObject.parse(answer.read(), "cloudflare")
        except urllib.error.HTTPError as error:
            raise AgentError(
                "cloudflare", f"Cloudflare answers {error.code}: {_words(error.read())}"
            ) from None
        except OSError as error:
            why = getattr(error, "reason", error)
            raise AgentError("cloudflare", f"Cloudflare's API cannot be reached: {why}") from None


def _words(body: bytes) -> str:
    """What Cloudflare says of a request that it refuses."""
    try:
        found = [each.line("message") for each in JsonObject.parse(body, "cloudflare").sections("errors")]
    except AgentError:
        found = []
    return ", ".join(found) or "without a word"

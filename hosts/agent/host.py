"""Who this host is: /etc/slipway/host.json, written when the host was set up."""

from __future__ import annotations

from . import durable
from .errors import AgentError
from .fields import Fields
from .paths import Paths


class Builds:
    """The builds bucket and the hosts' read-only account for it."""

    def __init__(self, fields: Fields) -> None:
        self.bucket = fields.text("bucket")
        self.region = fields.text("region", "us-east-1")
        self.endpoint = fields.text("endpoint", f"https://s3.{self.region}.amazonaws.com")
        self.access_key = fields.text("access_key", "")
        self.secret_key = fields.text("secret_key", "")
        self.session_token = fields.text("session_token", "")


class Host:
    """host.json: {app, host, role, stack, site, builds: {endpoint, bucket, region, access_key, …}}."""

    def __init__(self, paths: Paths) -> None:
        content = durable.read(paths.host)
        if content is None:
            raise AgentError("not_set_up", f"{paths.host} is missing: run `slipway up`")
        fields = Fields.parse(content, "host.json")
        self._fields = fields
        self.name = fields.text("host")
        self.role = fields.text("role")
        self.app = fields.text("app", "")
        self.stack = fields.text("stack", "")
        self.site = fields.text("site", "localhost")
        """Host header of the site."""
        self.serves = self.role == "web"
        """Does this host have a HAProxy of its own with the slot map?"""

    def builds(self) -> Builds:
        """Where layers come from."""
        return Builds(self._fields.section("builds"))

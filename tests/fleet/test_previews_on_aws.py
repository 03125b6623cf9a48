"""A preview on a host as AWS has them: set up by itself, its database is on a server, its uploads in S3.

The database server is the local fleet's, reached as RDS is: over the network, as a role that may make
databases. The load balancer's part is a request to the host's HAProxy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from hosts.data.scram import verifier
from slipway.build.build import publish
from slipway.platforms.aws.data_logins import previews_role, previews_server
from slipway.platforms.data_host import DATABASE_PREVIEWS
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.platform import LocalPlatform
from slipway.platforms.platform import Opened
from slipway.preview import open as opening
from slipway.preview.close import close_preview, listed, sweep
from slipway.preview.open import open_preview
from slipway.progress import Silent
from slipway.secrets.derived import PREVIEWS_KEY
from slipway.settings import Bucket, Outputs, Project
from slipway.stack import LiveStack
from tests.fleet.checks.conftest import PROOF
from tests.fleet.cloud import REGION, AroundFleet, around
from tests.fleet.instance import Instance

pytestmark = [pytest.mark.fleet, PROOF]

PASSWORD, UPLOADS, PREFIX = "maker-password-0123456789", "previews-uploads", "users/"
MAKER = """
CREATE ROLE {role} LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}';
GRANT CONNECT ON DATABASE postgres TO {role};
"""
ASK = """
python3 -c '
import http.client
asked = http.client.HTTPConnection("127.0.0.1", 8403, timeout=15)
asked.request("GET", "{path}", headers={{"Authorization": "{token}"}})
answer = asked.getresponse()
print(answer.status, answer.read().decode())
'
"""
STRAYS = r"""
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname ~ '^pv_' \gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^pv_|_previews$' \gexec
"""
"""Removes what a run that was cut off has left on the server."""
LEFT = """
find /srv/slipway /var/lib/slipway/previews /etc/slipway/env /etc/systemd -not -type d 2>/dev/null | sort
cut -d: -f1 /etc/passwd
cat /etc/haproxy/previews.map
systemctl list-units --all --plain --no-legend 'slipway-pv*' 'preview-*' | cut -d' ' -f1 || true
"""


@dataclass
class Carrier:
    """The stack that carries previews, and its one host."""

    project: Project
    cloud: AroundFleet
    host: Instance
    secrets: Mapping[str, str]

    @property
    def live(self) -> LiveStack:
        live = LiveStack(self.project)
        live.__dict__["secrets"] = self.secrets
        return live

    def psql(self, sql: str, database: str = "postgres") -> str:
        script = f"runuser -u postgres -- psql -XAtq -d {database} <<'END'\n{sql}\nEND"
        return self.cloud_host(script)

    def cloud_host(self, script: str) -> str:
        return Docker().execute(f"{self.project.fleet_id}-data1", script).strip()

    def get(self, name: str, path: str = "/health") -> httpx.Response:
        """As the load balancer forwards it."""
        site = f"{name}.localhost"
        headers = {"Host": site, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        return httpx.get(f"http://{self.host.address}:8080{path}", headers=headers, timeout=10)

    def keys(self) -> set[str]:
        found = self.cloud.client("s3").list_objects_v2(Bucket=UPLOADS).get("Contents", [])
        return {each["Key"] for each in found}


@pytest.fixture(scope="module")
def carrier(fleet: Project) -> Generator[Carrier]:
    """A bare machine that has set itself up for previews."""
    project = replace(fleet, stack=fleet.stack.model_copy(update={"previews": True}))
    with around(project, previews=True) as cloud, pytest.MonkeyPatch.context() as patch:
        cloud.client("s3").create_bucket(Bucket=UPLOADS)
        host = cloud.start("web", 9)
        cloud.boot(host)
        cloud.known.append(host)
        own = LiveStack(project).secrets
        secrets = {**own, PREVIEWS_KEY: "k" * 64, DATABASE_PREVIEWS: PASSWORD}
        made = Carrier(project, cloud, host, secrets)
        database = cloud.local.database
        assert database
        address = database.migrate_url.partition("@")[2].partition(":")[0]
        role = previews_role(database.name)
        made.psql(STRAYS)
        made.psql(MAKER.format(role=role, verifier=verifier(role, PASSWORD)))
        rule = f"hostssl all all {host.address}/32 scram-sha-256"
        made.cloud_host(
            f"cp -a $(runuser -u postgres -- psql -XAtc 'show hba_file') /root/hba;"
            f" echo '{rule}' >> $(runuser -u postgres -- psql -XAtc 'show hba_file');"
            " runuser -u postgres -- psql -XAtqc 'select pg_reload_conf()'"
        )

        def opened(_: LocalPlatform) -> Opened:
            return Opened(now())

        def rediscovered(_: LocalPlatform, __: Outputs) -> Opened:
            return Opened(now())

        def now() -> Outputs:
            found = cloud.outputs()
            direct = database.model_copy(update={"url": database.url.replace(":6432/", ":5432/")})
            uploads = Bucket(bucket=UPLOADS, region=REGION, endpoint=cloud.url)
            here = [each for each in found.hosts if each.name == host.name]
            parts = {"hosts": here, "database": direct, "uploads": uploads, "redis": None}
            return found.model_copy(update=parts)

        def server(_: LocalPlatform, __: Outputs) -> dict[str, str]:
            return previews_server(database.name, address, secrets)

        def prefix(_: LocalPlatform, name: str) -> str:
            return f"{PREFIX}{name}/"

        def published(build: Any, bucket: Any, **options: Any) -> Any:
            done = publish(build, bucket, **options)
            cloud.mirror(bucket)
            return done

        def answers(_: LiveStack, url: str, path: str) -> None:
            assert made.get(url.partition("://")[2].partition(".")[0], path).status_code == 200

        patch.setattr(LocalPlatform, "hosts_come_and_go", True)
        patch.setattr(LocalPlatform, "open", opened)
        patch.setattr(LocalPlatform, "rediscover", rediscovered)
        patch.setattr(LocalPlatform, "preview_server", server)
        patch.setattr(LocalPlatform, "preview_prefix", prefix)
        patch.setattr(opening, "publish", published)
        patch.setattr(opening, "_wait_for_answer", answers)
        yield made
        made.cloud_host(
            "cat /root/hba > $(runuser -u postgres -- psql -XAtc 'show hba_file'); rm /root/hba;"
            " runuser -u postgres -- psql -XAtqc 'select pg_reload_conf()'"
        )
        made.psql(f"DROP OWNED BY {role}; DROP ROLE {role};")


DATABASES = "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles ORDER BY 1"


def refuse_credentials_of_others(carrier: Carrier) -> None:
    """Its app gets credentials for its own uploads, and not the host's."""
    unit = carrier.host.sh("ls /etc/systemd/system | grep -E '^slipway-pv[0-9]+-web@pr-1-1.service$'")
    env = carrier.host.sh(f"tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID {unit})/environ")
    values = dict(line.split("=", 1) for line in env.splitlines() if "=" in line)
    assert values["S3_PREFIX"] == f"{PREFIX}pr-1/"
    assert values["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:8403/pr-1"
    token = values["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    answers = {path: carrier.host.sh(ASK.format(path=path, token=token)) for path in ("/pr-1", "/")}
    assert {path: said[:3] for path, said in answers.items()} == {"/pr-1": "200", "/": "403"}
    assert "AccessKeyId" in answers["/pr-1"] and "AccessKeyId" not in answers["/"]


def test_a_preview_opens_answers_and_leaves_nothing(carrier: Carrier):
    before, databases = carrier.host.sh(LEFT), carrier.psql(DATABASES)
    begun = time.monotonic()
    opened = open_preview(carrier.live, "pr-1", Silent())
    print(f"opened after {time.monotonic() - begun:.1f} s: {json.dumps(dict(opened.steps))}")
    assert carrier.get("pr-1").json()["status"] == "ok"
    assert carrier.get("pr-2").status_code == 421
    assert int(carrier.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", "pv_pr_1")) > 3
    refuse_credentials_of_others(carrier)
    carrier.cloud.client("s3").put_object(Bucket=UPLOADS, Key=f"{PREFIX}pr-1/users/a", Body=b"mine")
    carrier.cloud.client("s3").put_object(Bucket=UPLOADS, Key=f"{PREFIX}pr-11/users/a", Body=b"another's")
    assert close_preview(carrier.live, "pr-1", Silent()).was_there
    assert carrier.get("pr-1").status_code == 421
    assert carrier.keys() == {f"{PREFIX}pr-11/users/a"}
    assert (carrier.host.sh(LEFT), carrier.psql(DATABASES)) == (before, databases)


def test_what_went_with_a_host_is_swept_from_the_database_server(carrier: Carrier):
    databases = carrier.psql(DATABASES)
    open_preview(carrier.live, "lost", Silent())
    carrier.host.sh("rm /var/lib/slipway/previews/lost.json")  # as on the host that took its place
    assert not listed(carrier.live).previews
    assert carrier.psql(DATABASES) != databases
    carrier.host.sh("systemctl stop 'slipway-pv*' 'preview-redis@lost'")
    assert list(sweep(carrier.live, Silent())) == []
    assert carrier.psql(DATABASES) == databases

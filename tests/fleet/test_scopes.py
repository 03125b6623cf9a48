"""What one scope of an app can do to another, and to its host: exploits that the app's own code would try."""

import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from slipway.settings import Project
from tests.fleet.test_agent import two_toys
from tests.fleet.toy import AgentHost

pytestmark = pytest.mark.fleet

SCOPES = ("web", "migrate", "task", "cron")
OWNER_URL = "OWNER_URL=postgres://owner:in-plain-sight@data1/app"
LOOK = "cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep ^OWNER_URL= | sort -u; true"
PLANT = """\
echo '//registry.npmjs.org/:_authToken=planted' > ~/.npmrc
folder=$(python3 -I -c 'import site; print(site.getusersitepackages())')
mkdir -p $folder && echo 'print("planted code ran")' > $folder/usercustomize.py
"""
RUN_PYTHON = "python3 -c 'print(\"migrated\")'; cat ~/.npmrc; true"


@pytest.fixture(scope="module")
def web(fleet: Project) -> Generator[AgentHost]:
    yield from two_toys(AgentHost(fleet, "web1"))


def as_scope(host: AgentHost, scope: str, script: str) -> list[str]:
    """What `script` prints when the app runs it in `scope` of the live release."""
    answer = host.do("run", scope=scope, argv=["sh", "-c", script])
    assert answer["exit"] == 0, answer
    return answer["tail"]


@contextmanager
def migrating(host: AgentHost) -> Generator[None]:
    """A migration is at work, with the database owner's URL in its environment."""
    name, _, url = OWNER_URL.partition("=")
    request: dict[str, Any] = {"scope": "migrate", "env": {name: url}}
    request["argv"] = ["sh", "-c", "echo at work; exec sleep 60"]
    argv = ["docker", "exec", "-i", host.container, "slipway-agent", "run"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe) as agent:
        assert agent.stdin and agent.stderr
        agent.stdin.write(json.dumps(request).encode())
        agent.stdin.close()
        assert agent.stderr.readline() == b"at work\n"
        try:
            yield
        finally:
            host.sh("systemctl stop 'slipway-run-*'")


def test_web_code_cannot_read_the_migrations_owner_url_in_proc(web: AgentHost):
    pid = web.sh(f"systemctl show -P MainPID {web.running('web')[0]}").strip()
    assert as_scope(web, "web", "id -u") == web.sh(f"stat -c %u /proc/{pid}").split()
    with migrating(web):
        seen = {scope: as_scope(web, scope, LOOK) for scope in SCOPES}
    assert seen == {"web": [], "migrate": [OWNER_URL], "task": [], "cron": []}


def test_an_npmrc_or_usercustomize_planted_by_web_does_not_run_in_a_later_migration(web: AgentHost):
    as_scope(web, "web", PLANT)
    ran = {scope: as_scope(web, scope, RUN_PYTHON) for scope in SCOPES}
    planted = ["planted code ran", "migrated", "//registry.npmjs.org/:_authToken=planted"]
    assert ran.pop("web") == planted
    assert {scope: lines[0] for scope, lines in ran.items()} == dict.fromkeys(ran, "migrated")


def test_no_scope_reaches_anothers_home_or_writes_code(web: AgentHost):
    for scope in SCOPES:
        as_scope(web, scope, "echo kept > ~/note")
    own = {scope: as_scope(web, scope, "echo ~").pop() for scope in SCOPES}
    tried = f"for path in {' '.join(own.values())}; do cat $path/note; echo changed >> $path/note; done"
    for scope in SCOPES:
        said = as_scope(
            web, scope, f"({tried}; touch planted && echo planted; find . -writable) 2> /dev/null; true"
        )
        assert said == ["kept"]
        assert web.sh(f"cat {own[scope]}/note").split() == ["kept", "changed"]


METADATA = """\
import http.server, socket, sys
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
class Role(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"credentials of the role")
Server((sys.argv[1], 80), Role).serve_forever()
"""
LISTEN = """\
ip address add $1 dev lo && systemd-run --quiet --unit=metadata python3 -c "$2" $1
for _ in $(seq 100); do [ "$(eval "$3")" = refused ] || exit 0; sleep 0.1; done; exit 1
"""
APART = """\
set -e; ip link set lo up; nft -f /etc/slipway/firewall.nft; ip address add $1 dev lo nodad
python3 -c "$2" $1 & trap "kill $!" EXIT
for _ in $(seq 100); do [ "$(eval "$3")" = refused ] || break; sleep 0.1; done
for user in root app-web app-migrate; do
    echo $user $(setpriv --reuid=$user --regid=$user --clear-groups sh -c "$3")
done
"""
"""By IPv6, which the fleet's network has not: in another network on the host, with the host's own rules."""


def asking(url: str) -> str:
    return f"curl -s --max-time 5 '{url}' || echo refused"


@pytest.fixture
def metadata(web: AgentHost) -> Generator[str]:
    """Something answers on the host at the address of instance metadata; the command asks it once."""
    address = "169.254.169.254"
    web.sh(LISTEN, address, METADATA, asking(f"http://{address}/"))
    try:
        yield asking(f"http://{address}/")
    finally:
        web.sh("systemctl stop metadata; ip address del $1/32 dev lo", address)


def test_app_code_cannot_reach_the_instances_metadata_and_root_can(web: AgentHost, metadata: str):
    assert web.sh(metadata) == "credentials of the role"
    assert {scope: as_scope(web, scope, metadata) for scope in SCOPES} == {
        scope: ["refused"] for scope in SCOPES
    }


def test_app_code_cannot_reach_the_instances_metadata_by_ipv6_and_root_can(web: AgentHost):
    for scope in SCOPES:
        as_scope(web, scope, "true")
    arguments = ("fd00:ec2::254", METADATA, asking("http://[fd00:ec2::254]/"))
    said = web.sh('unshare --net bash -c "$1" bash "${@:2}"', APART, *arguments)
    assert said.splitlines() == ["root credentials of the role", "app-web refused", "app-migrate refused"]

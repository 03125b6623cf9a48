"""Three thefts, each tried on the live fleet with all that the thief has: SECURITY.md names these tests."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hosts.agent.main import SIGNED
from hosts.agent.signature import ENV, FENCE, env_digest, env_statement, fence_statement
from slipway.build.build import build, publish
from slipway.build.manifest import Manifest, input_key, manifest_id
from slipway.fleet.agent_call import PROGRAM
from slipway.fleet.open_bucket import open_bucket
from slipway.progress import Silent
from slipway.release import preflight
from slipway.release.rollout import Options
from slipway.release.ship import ship
from slipway.secrets.signing import KEY_FILE, signers_file
from slipway.secrets.ssh_signature import make_key, public_of, sign
from slipway.settings import Bucket as BucketOutput, SlipwayError
from slipway.stack import LiveStack
from slipway.storage.bucket import Bucket, BucketError
from tests.fleet.command import slipway
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet

THIEF = "what the thief would have hosts run"


def built(site: Site, text: str) -> Manifest:
    """What a release of this text would publish; published, so that everything that it needs is there."""
    live = LiveStack(site.project)
    site.change(text)
    made = build(site.project, bucket=live.bucket, trusts=live.signing.trusts_build)
    publish(made, live.bucket, sign=live.signing.build)
    return made.manifest


@contextmanager
def rewritten(bucket: Bucket, key: str, content: dict[str, Any]) -> Generator[None]:
    before = bucket.get_bytes(key)
    assert before is not None
    bucket.put_json(key, content)
    try:
        yield
    finally:
        bucket.put_bytes(key, before)


# the builds bucket's writer key


def test_with_the_bucket_an_entry_of_inputs_that_names_another_build_ships_nothing(site: Site):
    bucket = LiveStack(site.project).bucket
    evil = built(site, THIEF)
    wanted = built(site, "what the team ships")
    entry = bucket.get_json(input_key(wanted.input))
    assert entry
    forged = evil.model_copy(update={"input": wanted.input})
    forged = forged.model_copy(update={"id": manifest_id(forged.model_dump(mode="json"))})
    assert forged.id != wanted.id
    bucket.put_json(forged.key, forged.model_dump(mode="json"))
    # The signature is a true one of a true signer, for the build that the entry named before.
    with rewritten(bucket, input_key(wanted.input), {**entry[0], "build": forged.id}):
        released = site.release()
    assert released.json["build"] == wanted.id


def test_with_the_bucket_a_record_that_names_another_build_is_refused_by_hosts(site: Site):
    bucket = LiveStack(site.project).bucket
    evil = built(site, THIEF)
    for text in ("the target", "one more", "the live one"):
        site.change(text)
        site.release()
    live = site.live()
    key = f"stacks/local/releases/{live - 2:08d}.json"
    record = bucket.get_json(key)
    assert record
    with rewritten(bucket, key, {**record[0], "build": evil.id}):
        refused = slipway(site.root, "rollback", "--to", str(live - 2), "--json")
        assert refused.code not in (0, 2), refused.out + refused.err
        assert f"release {live - 2} is not what was signed" in refused.error
        assert slipway(site.root, "verify", str(live - 2)).code == 1
        site.wait_until_healthy()
        assert site.live() == live
    assert slipway(site.root, "resume").code == 0


# root on a web host

PORTS = (22, 80, 443, 5432, 6379, 6432, 7070, 8080, 8081, 8404, 8444, 9100)
KEYS = (
    "grep -rlI -e 'PRIVATE KEY' /etc /root /home /var/lib/slipway 2>/dev/null | grep -v ^/etc/ssh/ssh_host_"
)
CONNECT = """
import json, socket
def answers(address, port):
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((address, port)) == 0
found = {name: [port for port in PORTS if answers(address, port)] for name, address in HOSTS.items()}
print(json.dumps(found))
"""
AS_THE_APP = """
import json, os, subprocess
slot = os.listdir("/etc/slipway/env")[0]
run = ["systemd-run", "--quiet", "--wait", "--pipe"]
run += [f"--property=EnvironmentFile=/etc/slipway/env/{slot}/web.env"]
run += [f"/srv/slipway/slots/{slot}/.runtime/bin/bun", "-e", SOURCE]
done = subprocess.run(run, capture_output=True, text=True)
print(done.stdout or json.dumps(done.stderr))
"""
IN_THE_DATABASE = """
const tries = {
  "passwords of roles": "SELECT rolpassword FROM pg_authid",
  "a table less": "DROP TABLE tasks",
  "the owner's rights": "SET ROLE board_owner",
  "a program on the data host": "COPY (SELECT 1) TO PROGRAM 'id'",
  "a file of the data host": "SELECT pg_read_file('/etc/passwd')",
};
const ca = await Bun.file(process.env.DATABASE_CA_FILE).text();
const sql = new Bun.SQL(process.env.DATABASE_URL, { max: 1, prepare: false, tls: { ca } });
const done = [];
for (const [name, text] of Object.entries(tries)) {
  try { await sql.unsafe(text); done.push(name); } catch (refused) {}
}
const [{ count }] = await sql.unsafe("SELECT count(*) FROM tasks");
const owner = "DATABASE_MIGRATE_URL" in process.env;
console.log(JSON.stringify({ done, reads: Number(count) >= 0, owner }));
process.exit(0);
"""


def python(site: Site, host: str, program: str, **given: object) -> Any:
    """The JSON that `program` prints on `host`."""
    head = "".join(f"{name} = {value!r}\n" for name, value in given.items())
    return json.loads(site.on(host, f"python3 - <<'PROGRAM'\n{head}{program}\nPROGRAM"))


def test_with_a_web_host_the_builds_can_be_read_and_not_written(site: Site):
    stolen = json.loads(site.on("web1", "cat /etc/slipway/host.json"))["builds"]
    builds = site.outputs.builds
    account = replace_account(builds, stolen["access_key"])
    outputs = site.outputs.model_copy(update={"builds": account})
    bucket = open_bucket(outputs, {"STOLEN": stolen["secret_key"]})
    head = "stacks/local/head.json"
    content = bucket.get_bytes(head)
    assert content
    for key in (head, "inputs/new.json", "layers/sha256-0.tar.zst"):
        with pytest.raises(BucketError, match="AccessDenied"):
            bucket.put_bytes(key, content)
    with pytest.raises(BucketError, match="AccessDenied"):
        bucket.delete(head)
    assert bucket.get_bytes(head) == content


def replace_account(builds: BucketOutput, access_key: str) -> BucketOutput:
    return builds.model_copy(update={"access_key": access_key, "secret_key_secret": "STOLEN"})


def test_with_a_web_host_the_database_is_the_apps_and_no_more(site: Site):
    tried = python(site, "web1", AS_THE_APP, SOURCE=IN_THE_DATABASE)
    assert tried == {"done": [], "reads": True, "owner": False}


def test_with_a_web_host_no_other_host_opens(site: Site):
    others = {host.name: host.address for host in site.outputs.hosts if host.name != "web1"}
    assert python(site, "web1", CONNECT, PORTS=PORTS, HOSTS=others) == {
        "edge": [22, 80, 443, 8444],
        "web2": [22],
        "worker1": [22],
        "data1": [22, 5432, 6379, 6432, 7070],
    }
    assert site.on("web1", f"{KEYS} || true") == "", "a key to sign in with lies on the host"
    for host in others.values():
        tried = site.on(
            "web1", f"ssh -o BatchMode=yes -o StrictHostKeyChecking=no root@{host} true 2>&1 || true"
        )
        assert "Permission denied" in tried


# CI's keys, all but a signing key that counts

EVIL = {
    "LD_PRELOAD": "/tmp/thief.so",
    "BUN_OPTIONS": "--preload=/tmp/thief.ts",
    "DATABASE_URL": "postgres://thief/x",
}


@pytest.mark.parametrize("by", ["no key", "a thief's key"])
def test_with_cis_ssh_key_and_the_bucket_a_signed_release_is_not_staged_with_another_environment(
    by: str, site: Site, tmp_path: Path
):
    """The live release again, with all that was signed of it: only what its processes find in env differs."""
    live = LiveStack(site.project)
    record = live.ledger.get(site.live())
    manifest = live.manifest(record.build).model_dump(mode="json")
    env = dict.fromkeys(("web", "task", "cron"), EVIL)
    with live.lease() as lease:
        request: dict[str, Any] = {
            "fence": lease.fence, "step": 1, "release": record.number, "build": record.build,
            "config": record.config, "manifest": manifest, "ticket": record.ticket, "env": env,
            "site": "thief.test", "secret_names": [],
        }  # fmt: skip
        # Its fence was signed: by the command that is at work, and whose requests the thief reads.
        request["fence_ticket"] = fence_ticket(live, lease.fence)
        if by != "no key":
            make_key(tmp_path / "thief", "thief")
            digests = {scope: env_digest(scope, "", values) for scope, values in env.items()}
            wanted = {
                name: request[name]
                for name in ("release", "build", "fence", "config", "site", "secret_names")
            }
            content = env_statement(stack=site.project.fleet_id, digests=digests, **wanted)
            signature = sign(content, tmp_path / "thief", ENV)
            named = signers_file(site.project).read_text().split()[0]
            request["env_ticket"] = {"digests": digests, "salts": {}, "signer": named, "signature": signature}
        agent = live.fleet.host("web1").connection
        done = agent.run([PROGRAM, "--bound", "stage"], json.dumps(request).encode(), timeout=60)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert not answer["ok"], "the thief's environment lies in the idle slot"
    assert answer["error"]["code"] == "unsigned"
    assert "environment" in answer["error"]["message"]
    assert "thief" not in site.on("web1", "cat /etc/slipway/env/*/*.env")


def fence_ticket(live: LiveStack, fence: int) -> dict[str, str]:
    signer, signature = live.signing.sign(fence_statement(stack=live.stack.fleet_id, fence=fence), FENCE)
    return {"signer": signer, "signature": signature}


def test_with_cis_ssh_key_alone_no_fence_is_moved_and_nothing_is_stopped_or_switched(site: Site):
    """A fence of 10^9 would have hosts refuse every command of the team from then on."""
    site.change("the release that the thief would stop")
    released = site.release().json["release"]
    web = LiveStack(site.project).fleet.host("web1")
    before = web.agent.status()
    asked: dict[str, Any] = {
        "release": released,
        "hold_seconds": 0,
        "keep": 0,
        "promoted": released,
        "steps": [],
        "now": True,
    }
    for fence in (10**9, before.fence):
        for name in ("status", *SIGNED):
            request = {**asked, "fence": fence, "step": 10**9, "scope": "migrate"}
            done = web.connection.run([PROGRAM, "--bound", name], json.dumps(request).encode(), timeout=60)
            answer = json.loads(done.stdout.splitlines()[-1])
            assert answer.get("error", {}).get("code") == "unsigned", (name, answer)
    after = web.agent.status()
    assert (after.fence, after.active) == (before.fence, before.active)
    for name, slot in before.slots.items():
        assert (after.slots[name].state, after.slots[name].release) == (slot.state, slot.release)
    site.change("the next release of the team")
    assert site.release().json["release"] == released + 1


def test_with_cis_ssh_and_bucket_keys_a_release_that_another_key_signed_is_refused_by_hosts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    live, signers = site.live(), signers_file(site.project)
    before = signers.read_text()
    make_key(tmp_path / "thief", "thief")
    site.change(THIEF)
    monkeypatch.setenv(KEY_FILE, str(tmp_path / "thief"))
    refused = slipway(site.root, "release", "--json", "--no-checks")
    assert refused.code == 2, refused.out + refused.err
    assert "may not sign releases" in refused.error

    # A thief changes the program and its files: nothing on this side stands in the way any more.
    signers.write_text(f'{before}thief@example.com namespaces="slipway-*" {public_of(tmp_path / "thief")}\n')
    monkeypatch.setattr(preflight, "CHECKS", (preflight.disk,))
    try:
        with pytest.raises(SlipwayError) as stopped:
            ship(LiveStack(site.project), Options(observe_seconds=0), Silent())
    finally:
        signers.write_text(before)
    assert "is not signed for stack" in "".join(stopped.value.details), stopped.value.details
    site.wait_until_healthy()
    assert site.live() == live

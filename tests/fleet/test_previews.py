"""Previews on a local fleet: two that cannot reach each other, updates, failures, and nothing left."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx
import pytest

from slipway.platforms.local.docker import Docker, find_docker
from slipway.secrets import age
from slipway.settings import open_project
from tests.debian import IMAGE
from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway, start
from tests.fleet.conftest import refresh_app
from tests.fleet.previews import Previews
from tests.ports import local_fleet_ports

pytestmark = pytest.mark.fleet

NAME, STACK, DOMAIN = "pvtest", "previews", "previews.localhost"
SEED = """\
import { openDatabase } from "./db/sql.ts";
const sql = openDatabase(process.env.DATABASE_URL!, { poolSize: 1, caFile: process.env.DATABASE_CA_FILE });
const name = `seed-${Date.now()}@example.com`;
await sql`INSERT INTO users (email, name, password_hash) VALUES (${name}, 'Masked', 'masked')`;
console.log("seeded");
await sql.close({ timeout: 1 });
"""
ASK_S3 = """
import json, http.client, ssl, sys
sys.path.insert(0, "/usr/local/lib/slipway")
from agent.sigv4 import Credentials, Signed
method, port, bucket, access, secret = sys.argv[1:]
path = f"/{bucket}/private.txt"
body = b"kept apart" if method == "PUT" else b""
context = ssl.create_default_context(cafile="/etc/slipway/ca.pem")
connection = http.client.HTTPSConnection("127.0.0.1", int(port), timeout=15, context=context)
signed = Signed("s3", "us-east-1", method, path, body, {})
headers = signed.sign(Credentials(access, secret), f"127.0.0.1:{port}")
connection.request(method, path, body, headers)
print(connection.getresponse().status)
"""


@pytest.fixture(scope="module")
def previews() -> Generator[Previews]:
    """The board with a seed; nothing is open."""
    if find_docker() is None:
        pytest.skip("no Docker")
    root = Path(tempfile.gettempdir()) / NAME
    if (root / "age.key").exists():  # an earlier run was cut off
        slipway(root, "down", "--volumes", "--stack", STACK)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    (root / "age.key").write_text(f"{age.new_key()}\n")
    ports = local_fleet_ports()
    lines = "".join(f"    {key}: {port}\n" for key, port in ports.items())
    (root / "Pulumi.yaml").write_text(f"name: {NAME}\nruntime: python\nmain: infra/\n")
    (root / f"Pulumi.{STACK}.yaml").write_text(
        f"config:\n  slipway:platform: local\n  slipway:app: board\n  slipway:domain: {DOMAIN}\n"
        f"  slipway:previews: true\n  slipway:local:\n    one_host: true\n    image: {IMAGE}\n{lines}"
    )
    refresh_app(root)
    (root / "board/src/seed.ts").write_text(SEED)
    with (root / "board/slipway.toml").open("a") as toml:
        toml.write('\n[preview]\nseed = "bun run src/seed.ts"\nmax_age_hours = 1\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_AGE_KEY_FILE", str(root / "age.key"))
        up = slipway(root, "up", "--stack", STACK, timeout=900)
        assert up.code == 0, up.out + up.err
        yield Previews(root, STACK, DOMAIN, f"{NAME}-{STACK}-one", f"127.0.0.1:{ports['https_port']}")
        slipway(root, "down", "--volumes", "--stack", STACK)


def users(previews: Previews, name: str) -> list[str]:
    """E-mail addresses that a preview's own seed made."""
    database = f"pv_{name.replace('-', '_')}"
    sql = "SELECT email FROM users WHERE password_hash = ''masked''".replace("''", "'\\''")
    return previews.on(f"runuser -u postgres -- psql -XAt -d {database} -c '{sql}'").split()


def test_open_answers_and_close_leaves_nothing(previews: Previews):
    before = previews.everything()
    opened = previews.done("open", "pr-1")
    assert opened["url"] == f"https://pr-1.{DOMAIN}:{previews.address.rpartition(':')[2]}"
    assert previews.get("pr-1").json()["status"] == "ok"
    assert len(users(previews, "pr-1")) == 1
    during = previews.everything()
    grown = {kind: during[kind] - before[kind] for kind in before}
    assert all(grown.values()), grown
    assert previews.done("close", "pr-1")["was_there"]
    assert previews.left_since(before) == {}
    assert previews.get("pr-1").status_code == 421
    assert not previews.done("close", "pr-1")["was_there"]


@pytest.fixture(scope="module")
def two(previews: Previews) -> Generator[Previews]:
    previews.done("open", "one")
    previews.done("open", "two")
    yield previews
    previews.done("close", "one")
    previews.done("close", "two")


def test_a_previews_roles_open_no_other_database(two: Previews):
    mine, other = two.env_of("one")["DATABASE_URL"], two.env_of("two")["DATABASE_URL"]
    ask = "PGSSLROOTCERT=/etc/slipway/ca.pem psql -XAtc 'SELECT count(*) FROM users' '{}' 2>&1 || true"
    assert two.on(ask.format(mine)).isdecimal()
    name, theirs = mine.rpartition("/")[2].partition("?")[0], other.rpartition("/")[2].partition("?")[0]
    through_pooler = mine.replace(f"/{name}?", f"/{theirs}?")
    for url in (through_pooler, through_pooler.replace(":6432/", ":5432/")):
        said = two.on(ask.format(url))
        assert "FATAL" in said or "permission denied" in said, said
    fleet = mine.replace(f"/{name}?", f"/{NAME}?")
    assert "FATAL" in two.on(ask.format(fleet.replace(":6432/", ":5432/")))


def test_a_previews_redis_password_opens_no_other_redis(two: Previews):
    mine, other = (urlsplit(two.env_of(name)["REDIS_URL"]) for name in ("one", "two"))

    def ask(at: SplitResult, password: str | None, *words: str) -> str:
        command = f"redis-cli -p {at.port} -a {password} --no-auth-warning {' '.join(words)}"
        return two.on(f"{command} 2>&1 || true")

    assert ask(other, other.password, "SET private kept-apart") == "OK"
    assert ask(other, other.password, "GET private") == "kept-apart"
    assert ask(mine, mine.password, "GET private") == ""
    said = ask(other, mine.password, "GET private")
    assert "WRONGPASS" in said
    assert "kept-apart" not in said
    assert "NOPERM" in ask(mine, mine.password, "CONFIG SET dir /tmp")


def test_a_previews_bucket_account_reads_no_other_bucket(two: Previews):
    one, other = two.env_of("one"), two.env_of("two")

    def ask(method: str, at: dict[str, str], account: dict[str, str]) -> str:
        port = at["S3_ENDPOINT"].rpartition(":")[2]
        who = f"{account['S3_ACCESS_KEY_ID']} {account['S3_SECRET_ACCESS_KEY']}"
        return two.on(f"python3 - {method} {port} {at['S3_BUCKET']} {who} <<'END'\n{ASK_S3}\nEND")

    assert ask("PUT", other, other) == "200"
    assert ask("GET", other, other) == "200"
    assert ask("GET", other, one) == "403"
    assert ask("PUT", other, one) == "403"


def test_a_previews_account_reads_no_other_env(two: Previews):
    user = two.on("ls /etc/systemd/system | grep -oE 'pv[0-9]+-web@one-1' | cut -d@ -f1")
    unit = two.on("ls /etc/systemd/system | grep -E 'web@two-1.service'")
    script = f"runuser -u app-{user} -- cat /proc/$(systemctl show -P MainPID {unit})/environ 2>&1 || true"
    assert "Permission denied" in two.on(script)
    said = two.on(f"runuser -u app-{user} -- ls /srv/slipway/previews/env 2>&1 || true")
    assert "Permission denied" in said
    one, other = two.env_of("one"), two.env_of("two")
    assert one["JWT_SECRET"] != other["JWT_SECRET"]


def test_open_twice_updates_keeps_the_data_and_seeds_once(two: Previews):
    before, secret = users(two, "one"), two.env_of("one")["JWT_SECRET"]
    (two.root / "board/public/note.txt").write_text("another build\n")
    updated = two.done("open", "one")
    assert not updated["fresh"]
    assert two.get("one").json()["build"] == updated["build"]
    assert two.get("two").json()["build"] != updated["build"]
    assert users(two, "one") == before
    assert two.env_of("one")["JWT_SECRET"] == secret
    assert two.env_of("two")["JWT_SECRET"] != secret


def test_the_list_says_what_is_open_and_for_how_long(two: Previews):
    listed = {each["name"]: each for each in two.done("list")["previews"]}
    assert set(listed) == {"one", "two"}
    assert {each["state"] for each in listed.values()} == {"open"}
    assert all(each["age_seconds"] > 0 and each["down"] == [] for each in listed.values())


def test_an_open_fleet_has_no_drift(two: Previews):
    ran = slipway(two.root, "drift", "--stack", STACK, "--json")
    found = [each for each in ran.json["differences"] if each["type"] != "package"]
    assert found == [], found


def test_previews_run_again_after_a_reboot(two: Previews):
    Docker().run("restart", f"{NAME}-{STACK}-one", timeout=200)
    ends = time.monotonic() + 90
    while time.monotonic() < ends:
        try:
            if {two.get("one").status_code, two.get("two").status_code} == {200}:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(json.dumps(two.done("list")))


def test_a_migration_that_fails_is_said_and_leaves_nothing_after_close(previews: Previews):
    before = previews.everything()
    broken = previews.root / "board/migrations/0999_broken.up.sql"
    broken.write_text("SELECT no_such_function();\n")
    broken.with_name("0999_broken.down.sql").write_text("SELECT 1;\n")
    try:
        failed = slipway(previews.root, "preview", "open", "bad", "--stack", STACK, "--json", timeout=600)
    finally:
        broken.unlink()
        broken.with_name("0999_broken.down.sql").unlink()
    assert failed.code == 1
    assert "the migrate command ended with exit code" in failed.error
    (listed,) = [each for each in previews.done("list")["previews"] if each["name"] == "bad"]
    assert listed["state"] == "failed"
    assert previews.get("bad").status_code == 421
    previews.done("close", "bad")
    assert previews.left_since(before) == {}


def test_a_smoke_step_that_fails_keeps_a_new_preview_from_users(previews: Previews):
    toml = previews.root / "board/slipway.toml"
    text = toml.read_text()
    toml.write_text(text.replace("""contains = '"status":"ok"'""", 'contains = "never said"'))
    try:
        failed = slipway(previews.root, "preview", "open", "unwell", "--stack", STACK, "--json", timeout=600)
    finally:
        toml.write_text(text)
    assert failed.code == 1
    assert "step 'is healthy': expected 'never said' in the answer" in failed.error
    (listed,) = [each for each in previews.done("list")["previews"] if each["name"] == "unwell"]
    assert (listed["state"], listed["error"]["code"]) == ("failed", "smoke_failed")
    assert previews.get("unwell").status_code == 421
    previews.done("open", "unwell")
    assert previews.get("unwell").status_code == 200
    previews.done("close", "unwell")


def test_ctrl_c_says_what_there_is_and_close_removes_it(previews: Previews):
    before = previews.everything()
    seed = previews.root / "board/src/seed.ts"
    seed.write_text("await Bun.sleep(60_000);")
    try:
        running = start(previews.root, "preview", "open", "cut", "--stack", STACK, "--json")
        assert running.stderr
        while "applied" not in (line := running.stderr.readline()):
            assert line, "open ended by itself"
        running.send_signal(2)  # migrations are applied, and the seed takes its time
        out, err = running.communicate(timeout=60)
    finally:
        seed.write_text(SEED)
    assert running.returncode == 130, out + err
    assert "interrupted: preview cut is" in json.loads(out)["error"]["message"]
    assert previews.done("close", "cut")["was_there"]
    assert previews.left_since(before) == {}


def test_the_sweeper_closes_what_is_old_and_nothing_else(previews: Previews):
    previews.done("open", "old")
    previews.done("open", "new")
    assert previews.done("sweep")["closed"] == []
    record = "/var/lib/slipway/previews/old.json"
    previews.on(f"jq -c '.updated -= 3601 | .opened -= 3601' {record} > /tmp/old && cat /tmp/old > {record}")
    assert previews.done("sweep")["closed"] == ["old"]
    left = {each["name"] for each in previews.done("list")["previews"]}
    assert "new" in left
    assert "old" not in left
    previews.done("close", "new")


@PROOF
def test_a_preview_is_proved_by_itself_and_what_it_shows_to_scanners_is_named(previews: Previews):
    previews.done("open", "proof")
    proved = previews.run("prove", "proof").json
    assert {*proved["checks"]} == {"pass"}
    assert proved["checks"]["pass"] >= 45
    assert proved["load"].startswith("smoke: ")
    slow = ("load test, profile smoke: a threshold is missed", " ms (at most ")  # on a machine that is busy
    assert [each for each in proved["problems"] if not any(word in each for word in slow)] == []
    page = previews.root / "board/src/http/page.ts"
    text = page.read_text()
    page.write_text(text.replace('? "/" :', '? "/" : name === "icon.svg" ? "/openapi.json" :'))
    assert page.read_text() != text
    try:
        previews.done("open", "proof")
    finally:
        page.write_text(text)
    missed = previews.run("prove", "proof")
    assert missed.code == 1
    assert "X5/docs-and-debugging-are-not-there: " in missed.json["problems"][0]
    reports = Path(proved["reports"])
    assert (reports / "checks/report.html").exists()
    previews.done("close", "proof")
    assert not reports.exists()
    assert "there is no preview proof" in previews.run("prove", "proof").error


def test_a_stack_that_carries_none_is_refused(previews: Previews):
    text = (previews.root / f"Pulumi.{STACK}.yaml").read_text()
    (previews.root / "Pulumi.plain.yaml").write_text(text.replace("  slipway:previews: true\n", ""))
    refused = slipway(previews.root, "preview", "list", "--stack", "plain", "--json")
    assert refused.code == 2
    assert open_project(STACK, previews.root).stack.previews

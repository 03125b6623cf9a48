"""Platform servers: plain Debian, a user who may sudo, and every command as a person and a CI job run it."""

import base64
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from slipway.platforms.local.docker import find_docker
from tests.fleet.checks.breaking import wait_until
from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway, start
from tests.fleet.servers import DOMAIN, STACK, Laptop, edge, health, laptop_with, on, reds

pytestmark = pytest.mark.fleet


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Laptop]:
    if find_docker() is None:
        pytest.skip("no Docker")
    with laptop_with(tmp_path_factory.mktemp("servers")) as made:
        yield made


def runner_of(laptop: Laptop) -> Laptop:
    """A fresh CI job: a clone, and its keys in environment variables; nothing else."""
    git = ["git", "-C", str(laptop.root), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "up"], check=True)
    root = laptop.root.with_name("runner")
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", str(laptop.root), str(root)], check=True)
    env = {
        "SLIPWAY_AGE_KEY": Path(laptop.env["SLIPWAY_AGE_KEY_FILE"]).read_text(),
        "SLIPWAY_SSH_KEY": Path(laptop.env["SLIPWAY_SSH_KEY_FILE"]).read_text(),
        "SLIPWAY_SIGNING_KEY": Path(laptop.env["SLIPWAY_SIGNING_KEY_FILE"]).read_text(),
        "HOME": str(laptop.root.parent / "home"),
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),
    }
    return Laptop(root, env, laptop.servers)


def test_servers_that_are_not_the_right_ones_are_named_and_nothing_is_changed(laptop: Laptop):
    right = laptop.servers
    web, worker = right[1], right[2]
    laptop.list_servers([right[0], replace(web, host_key=worker.host_key), *right[2:]])
    wrong_key = laptop.run("up", "--json")
    assert wrong_key.code == 2
    assert "web: host key mismatch" in wrong_key.error

    laptop.list_servers([*right[:3], replace(right[3], ssh_port=1)])
    silent = laptop.run("up", "--json")
    assert silent.code == 1
    assert "data: connection refused" in silent.error

    laptop.list_servers([*right[:2], replace(worker, address="10.9.9.9"), right[3]])
    elsewhere = laptop.run("up", "--json")
    assert elsewhere.code == 2
    assert "worker has no address 10.9.9.9" in elsewhere.error

    laptop.list_servers(right)
    assert not (laptop.root / "secrets").exists()
    assert on("web", "ls /etc/slipway 2>/dev/null || true") == ""


def test_ctrl_c_while_servers_are_set_up_ends_at_once(laptop: Laptop):
    running = start(laptop.root, "up", "--stack", STACK, env=laptop.env)
    assert running.stderr
    while "worker: setting up" not in (line := running.stderr.readline()):
        assert line, "up ended by itself"
    time.sleep(3)  # into the package manager's work
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in said


def test_up_on_plain_servers_then_a_release_from_a_fresh_clone_then_back(laptop: Laptop):
    laptop.done("up")
    laptop.done("secrets", "generate")

    again = laptop.done("up")
    assert "new entries" not in again.err
    already = [server.name for server in laptop.servers if f"{server.name}: set up already" in again.err]
    assert already == [server.name for server in laptop.servers], again.err

    runner = runner_of(laptop)
    unsigned = replace(runner, env={k: v for k, v in runner.env.items() if k != "SLIPWAY_SIGNING_KEY"})
    refused = unsigned.run("release", "--json")
    assert refused.code == 2
    assert "there is no key to sign releases with" in refused.error
    assert "publish" not in refused.err, "it is refused before anything is uploaded"

    released = runner.done("release", "--json", "--observe", "0", "--no-checks").json
    assert released["url"] == f"https://{DOMAIN}"
    assert health(runner)["release"] == released["release"]

    (runner.root / "board" / "public" / "note.txt").write_text("another build\n")
    second = runner.done("release", "--json", "--observe", "0", "--no-checks").json
    assert health(runner)["release"] == second["release"]

    back = laptop.done("rollback", "--json").json
    assert back["warm"]
    assert health(laptop)["release"] == released["release"]


def test_the_edge_talks_tls_to_web_hosts_and_a_release_under_traffic_loses_nothing(laptop: Laptop):
    (laptop.root / "board" / "public" / "note.txt").write_text("released under traffic\n")
    runner = runner_of(laptop)
    answers: list[int] = []
    ended = threading.Event()

    def visit() -> None:
        with edge(laptop) as client:
            while not ended.is_set():
                answers.append(client.get("/health").status_code)
                time.sleep(0.2)  # below the limit for one address

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        released = runner.done("release", "--json", "--observe", "0", "--no-checks").json
        seen = on("web", "ss -Htan state all '( sport = :8080 or sport = :8443 )'")
    finally:
        ended.set()
        visitor.join(60)
    assert health(runner)["release"] == released["release"]
    assert len(answers) > 10, "it came before, during and after the switch"
    assert set(answers) == {200}
    address = laptop.servers[0].address
    ports = {line.split()[3].rpartition(":")[2] for line in seen.splitlines() if f"{address}:" in line}
    assert ports == {"8443"}, seen


def test_a_web_host_that_cannot_prove_who_it_is_gets_no_request(laptop: Laptop):
    with edge(laptop) as client:
        assert client.get("/health").status_code == 200
        stranger = trustme.CA().issue_cert("web").private_key_and_cert_chain_pem.bytes()
        coded = base64.b64encode(stranger).decode()
        try:
            on("web", f"echo {coded} | base64 -d > /etc/haproxy/web.pem && systemctl reload haproxy")
            # `systemctl reload` returns while the process with the old certificate still answers.
            wait_until("the edge refuses the web host", lambda: client.get("/health").status_code == 503)
            time.sleep(1)  # the old process is gone, and a health check has come by
            assert [client.get("/health").status_code for _ in range(5)] == [503] * 5
        finally:
            laptop.done("up")
        assert client.get("/health").status_code == 200


ASK_REDIS = """
import json, socket, ssl, sys
host, port, tls = json.load(sys.stdin)
try:
    with socket.create_connection((host, port), 3) as asked:
        if tls:
            context = ssl.create_default_context(cafile="/etc/slipway/ca.pem")
            context.check_hostname = False
            if tls != "none":
                context.load_cert_chain(tls)
            asked = context.wrap_socket(asked)
        asked.settimeout(5)
        asked.sendall(b"PING\\r\\n")
        print(asked.recv(100).decode(errors="replace"))
except OSError as refused:
    print("refused:", refused)
"""


def ask_redis(server: str, host: str, port: int, tls: str = "") -> str:
    """What `server` hears there, by TLS with a certificate (`none`: without one), or in plain."""
    return on(server, f"echo '{json.dumps([host, port, tls])}' | python3 -c '{ASK_REDIS}'")


def test_redis_is_reached_by_tls_with_the_fleets_certificates_only(laptop: Laptop):
    data = next(each.address for each in laptop.servers if each.name == "data")
    stranger = trustme.CA().issue_cert("web").private_key_and_cert_chain_pem.bytes()
    on("web", f"echo {base64.b64encode(stranger).decode()} | base64 -d > /root/stranger.pem")
    try:
        for server in ("web", "worker"):
            assert ask_redis(server, "127.0.0.1", 6379).startswith("-NOAUTH"), "the app's own way"
            assert ask_redis(server, data, 6379).startswith("refused"), "in plain, from another host"
            assert "NOAUTH" not in ask_redis(server, data, 6380), "in plain, at the port for TLS"
            assert ask_redis(server, data, 6380, "/etc/slipway/redis-tls.pem").startswith("-NOAUTH")
            assert "NOAUTH" not in ask_redis(server, data, 6380, "none")
        assert "NOAUTH" not in ask_redis("web", data, 6380, "/root/stranger.pem")
        assert "NOAUTH" not in ask_redis("web", data, 6380, "/etc/haproxy/web.pem"), "a server's certificate"
    finally:
        on("web", "rm /root/stranger.pem")
    assert ask_redis("edge", data, 6380).startswith("refused")


@PROOF
def test_redis_stays_open_in_plain_for_releases_of_before_and_a_check_says_so(laptop: Laptop):
    """As an older slipway composed their env; they are cut off by no `up`."""
    data = next(each.address for each in laptop.servers if each.name == "data")
    before = "/etc/slipway/env/before"
    on("web", f"mkdir {before} && echo 'REDIS_URL=\"redis://:x@{data}:6379/0\"' > {before}/web.env")
    reached = ("check", "--json", "--only", "I7/a-web-host-cannot-reach-other-services")
    try:
        assert f"web: a release reaches Redis in plain at {data}:6379" in laptop.done("up").err
        assert ask_redis("web", data, 6379).startswith("-NOAUTH")
        assert ask_redis("web", "127.0.0.1", 6379).startswith("-NOAUTH")
        (found,) = (each for each in laptop.run(*reached).json["results"] if each["verdict"] == "fail")
        assert "data by tcp 6379" in str(found)
    finally:
        on("web", f"rm -r {before}")
        again = laptop.done("up")
    assert "reaches Redis in plain" not in again.err
    assert ask_redis("web", data, 6379).startswith("refused")
    assert {each["verdict"] for each in laptop.run(*reached).json["results"]} == {"pass"}


def test_checks_prove_plain_servers_too(laptop: Laptop):
    found = laptop.run("check", "--json").json["results"]
    assert reds(found) == {}
    assert len({each["id"] for each in found if each["verdict"] == "pass"}) >= 90


def test_uploads_have_a_name_of_their_own_on_the_sites_port(laptop: Laptop):
    with edge(laptop) as client:
        answer = client.get("/rnt-trial-uploads/nothing", headers={"Host": f"uploads.{DOMAIN}"})
    assert answer.status_code == 403
    assert "AccessDenied" in answer.text


def test_a_server_of_one_fleet_is_refused_to_another(laptop: Laptop):
    settings = laptop.root / f"Pulumi.{STACK}.yaml"
    other = laptop.root / "Pulumi.other.yaml"
    shutil.copy(settings, other)
    try:
        ran = slipway(laptop.root, "up", "--json", "--stack", "other", env=laptop.env)
    finally:
        other.unlink()
    assert ran.code == 2
    assert "web belongs to the fleet rnt-trial" in ran.error


def test_down_is_refused(laptop: Laptop):
    assert laptop.run("down", "--json").code == 2

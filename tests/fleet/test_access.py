"""Whose ssh keys open which doors: a key of CI is bound to the agent; a revoked one opens no host."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.local.keys import operator_key
from slipway.secrets.ssh_signature import make_key, public_of
from slipway.settings.access import fingerprint
from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.site import Site
from tests.waiting import until

pytestmark = pytest.mark.fleet

OWN = "/root/.ssh/authorized_keys"


class Holder:
    """Whoever has the private half of a key, with the addresses and host keys of the fleet."""

    def __init__(self, site: Site, folder: Path, name: str) -> None:
        self.site, self.key, self.name = site, folder / name, name
        make_key(self.key, name)
        self.public = public_of(self.key)
        self.config = write_ssh_config(site.outputs.hosts, folder / f"{name}-state", self.key)

    def ssh(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        alone = ("-o", "ControlPath=none", "-o", "IdentityAgent=none")
        return subprocess.run(
            ["ssh", "-F", str(self.config), *alone, *argv],
            input=stdin, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def is_let_in(self, host: str) -> bool:
        return "Permission denied" not in self.ssh(host, "true").stderr

    def reaches(self, host: str, target: str) -> bool:
        """Whether sshd forwards to `target`: it then waits for what its client sends."""
        argv = ["ssh", "-F", str(self.config), "-o", "ControlPath=none", "-W", target, host]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as run:
            assert run.stdin
            try:
                run.wait(5)
            except subprocess.TimeoutExpired:
                run.kill()
                return True
            return False


@pytest.fixture
def ci(site: Site, tmp_path: Path) -> Generator[Holder]:
    """CI's key, as the docs had it placed: in `authorized_keys` of each server's ssh user."""
    made = Holder(site, tmp_path, "ci")
    hosts = [host.name for host in site.outputs.hosts]
    for host in hosts:
        site.on(host, f"echo '{made.public} ci' >> {OWN}")
    yield made
    slipway(site.root, "access", "revoke", "ci")
    for host in hosts:
        body = made.public.split()[1]
        site.on(host, f"grep -vF '{body}' {OWN} > /tmp/kept; cat /tmp/kept > {OWN}; rm /tmp/kept")


def test_a_key_of_ci_has_no_shell_and_releases_and_rolls_back(
    site: Site, ci: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ci.ssh("web1", "id -un").stdout == "root\n", "without a grant it is the key of a person"
    granted = slipway(site.root, "access", "grant", str(ci.key) + ".pub", "--name", "ci", "--ci")
    assert granted.code == 0, granted.err
    data = next(host for host in site.outputs.hosts if host.is_any("data"))
    for host in site.outputs.hosts:
        # Even where the line of before comes back.
        site.on(host.name, f"echo '{ci.public} ci' >> {OWN}")
        for asked in (
            "id -un",
            "sh",
            "slipway-agent status; id -un",
            "/usr/local/bin/slipway-agent status\nid",
        ):
            refused = ci.ssh(host.name, asked)
            assert (refused.stdout, refused.returncode) == ("", 77), asked
            assert "bound to slipway-agent" in refused.stderr
        shell = ci.ssh("-tt", host.name, stdin="id -un\n")
        assert shell.returncode != 0
        assert "root" not in shell.stdout
        assert ci.ssh("-s", host.name, "sftp").returncode == 77
        assert not ci.reaches(host.name, f"{data.address}:5432")
        assert not ci.reaches(host.name, "127.0.0.1:22")
        assert ci.reaches(host.name, f"{data.address}:7070") == (host is data)
        back = ci.ssh(
            "-R", "127.0.0.1:9999:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes", host.name, "true"
        )
        assert "forwarding failed" in back.stderr
    request = json.dumps({"scope": "task", "argv": ["id"]})
    shell = ci.ssh("web1", "/usr/local/bin/slipway-agent run", stdin=request)
    assert json.loads(shell.stdout)["error"]["code"] == "bound"

    state = site.project.state_dir
    before = site.live()
    write_ssh_config(site.outputs.hosts, state, ci.key)
    try:
        site.change("released with the key of CI")
        released = site.release("--migrate").json["release"]
        assert site.live() == released
        back = slipway(site.root, "rollback", "--json")
        assert back.code == 0, back.out + back.err
        assert site.live() == before
        assert slipway(site.root, "logs", "-n", "3").code == 0
        assert slipway(site.root, "resume").code == 0
        run = slipway(site.root, "run", "id")
        assert (run.code, "needs the key of a person" in run.err) == (1, True), run.err
        up = slipway(site.root, "access", "revoke", "ci")
        assert (up.code, "needs the key of a person" in up.err) == (2, True), up.err
        checked = slipway(site.root, "check", "--severity", "critical", "--json", timeout=600)
        found = {each["verdict"] for each in checked.json["results"] if each["host"]}
        assert found == {"not evaluated"}, found
    finally:
        write_ssh_config(site.outputs.hosts, state, operator_key(state).path)


def test_a_revoke_removes_the_key_from_every_host_and_ends_its_sessions(site: Site, tmp_path: Path) -> None:
    ana = Holder(site, tmp_path, "ana")
    hosts = [host.name for host in site.outputs.hosts]
    assert not any(ana.is_let_in(host) for host in hosts)
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    granted = slipway(site.root, "access", "grant", ana.public, "--name", "ana", "--expires", tomorrow)
    assert granted.code == 0, granted.err
    listed = json.loads(slipway(site.root, "access", "list", "--json").out)
    assert [(each["name"], each["kind"], each["state"]) for each in listed] == [("ana", "person", "good")]
    assert all(ana.ssh(host, "id -un").stdout == "root\n" for host in hosts)
    assert keys_that_differ(site) == set(), "a granted key belongs on its hosts"
    with subprocess.Popen(
        ["ssh", "-F", str(ana.config), "-o", "ControlPath=none", "web2", "sleep 600"]
    ) as session:
        try:
            until(lambda: "sleep 600" in site.on("web2", "ps -eo args"), seconds=20)
            revoked = slipway(site.root, "access", "revoke", "ana")
            assert revoked.code == 0, revoked.err
            assert "1 open session was ended" in revoked.out
            assert session.wait(30) == 255
        finally:
            session.kill()
    assert not any(ana.is_let_in(host) for host in hosts)
    assert json.loads(slipway(site.root, "access", "list", "--json").out) == []
    assert LiveStack(site.project).weak_secrets() == []
    # A key that was never granted is named by drift, and goes by its fingerprint.
    site.on("data1", f"echo '{ana.public}' >> {OWN}")
    (differs,) = keys_that_differ(site)
    assert ana.is_let_in("data1")
    assert slipway(site.root, "access", "revoke", differs[1]).code == 0
    assert keys_that_differ(site) == set()
    assert not ana.is_let_in("data1")


def test_a_key_ends_on_its_last_day_and_nothing_locks_its_owner_out(site: Site, tmp_path: Path) -> None:
    old = Holder(site, tmp_path, "old")
    assert (
        slipway(site.root, "access", "grant", old.public, "--name", "old", "--expires", "2026-01-31").code
        == 0
    )
    try:
        assert not old.is_let_in("web1")
        assert "over" in slipway(site.root, "access", "list").out
    finally:
        assert slipway(site.root, "access", "revoke", "old").code == 0
    own = site.on("web1", f"cat {OWN}")
    mine = json.loads(slipway(site.root, "access", "list", "--json").out)
    refused = slipway(site.root, "access", "revoke", fingerprint(operator_key(site.project.state_dir).public))
    assert (refused.code, "your own key" in refused.err) == (2, True), refused.err
    assert site.on("web1", f"cat {OWN}") == own
    assert json.loads(slipway(site.root, "access", "list", "--json").out) == mine


def keys_that_differ(site: Site) -> set[tuple[str, str]]:
    found = json.loads(slipway(site.root, "drift", "--stack", "local", "--json").out)["differences"]
    return {(each["name"], each["found"]) for each in found if each["type"] == "key"}

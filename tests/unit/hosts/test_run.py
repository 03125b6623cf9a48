"""A set-up over a real sshd that loses its connection goes on by another, and fails if it loses each."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportPrivateUsage=false
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_CLOSE, cMSG_CHANNEL_EOF
from pyinfra.operations import files, python, server

from hosts import run
from hosts.operations import on_change
from hosts.plan import FleetPlan
from hosts.run import CONNECTIONS, Result, set_up_over_ssh
from tests.sshd import Sshd, serve

Deploy = Callable[[], None]
SetUp = Callable[[Deploy], Result]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serve(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def set_up(plan: FleetPlan, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SetUp:
    """Runs a set-up of web1 that is only the operations of the deploy it is given."""
    outputs = plan.outputs.model_copy(update={"hosts": [sshd.host()], "ssh_config": str(sshd.config())})
    monkeypatch.setattr("hosts.operations.APPLIED", str(tmp_path / "applied"))

    def set_up(deploy: Deploy) -> Result:
        def only(_plan: object, _host: object, _digest: object) -> None:
            deploy()

        monkeypatch.setattr(run, "deploy", only)
        return set_up_over_ssh(replace(plan, outputs=outputs), "web1", "a digest")

    return set_up


def test_it_goes_on_when_paramiko_closes_an_input_too_late(
    set_up: SetUp,
    sshd: Sshd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    done, closed = tmp_path / "done", threading.Event()
    awaited: list[bytes] = []
    send = paramiko.Transport._send_user_message

    def send_late(self: paramiko.Transport, message: paramiko.Message) -> None:
        kind, channel = message.asbytes()[:1], message.asbytes()[1:5]
        by_a_command = threading.current_thread() is threading.main_thread()
        if kind == cMSG_CHANNEL_EOF and by_a_command and done.exists() and not awaited:
            awaited.append(channel)
            closed.wait(30)
            # sshd forgets the channel once it has read all there was to read: its answer says that it has.
            self.global_request("keepalive@openssh.com")
        send(self, message)
        if kind == cMSG_CHANNEL_CLOSE and awaited == [channel]:
            closed.set()

    monkeypatch.setattr(paramiko.Transport, "_send_user_message", send_late)

    def deploy() -> None:
        files.file(name="first", path=str(done))
        for n in range(3):
            on_change(name=f"handler {n}", files=[str(done)], command=f"echo {n} >>{done}-by")

    assert set_up(deploy) == Result(("first", "handler 0", "handler 1", "handler 2"))
    assert "ieof packet referred to nonexistent channel" in (sshd.folder / "log").read_text()
    assert Path(f"{done}-by").read_text().split() == ["0", "1", "2"]
    assert "Traceback" not in capfd.readouterr().err


def test_it_goes_on_when_the_connection_ends_between_two_operations(
    set_up: SetUp, sshd: Sshd, tmp_path: Path
):
    cuts = iter([True])

    def cut() -> None:
        if next(cuts, False):
            sshd.end_connections()

    def deploy() -> None:
        files.directory(name="before", path=str(tmp_path / "before"))
        python.call(name="cut", function=cut)
        files.directory(name="after", path=str(tmp_path / "after"))

    result = set_up(deploy)
    assert not result.failed
    assert {"before", "after"} <= {*result.changed}


def test_it_goes_on_when_the_connection_ends_in_a_command(set_up: SetUp, sshd: Sshd, tmp_path: Path):
    runs = tmp_path / "runs"
    cut = f"[ $(wc -l <{runs}) -gt 1 ] || {{ {sshd.ends_connections}; sleep 5; }}"

    def deploy() -> None:
        server.shell(name="cut", commands=[f"echo once >>{runs}; {cut}"])

    assert set_up(deploy) == Result(("cut",))
    assert len(runs.read_text().splitlines()) == 2


def test_it_fails_when_each_of_its_connections_ends(set_up: SetUp, sshd: Sshd, tmp_path: Path):
    runs = tmp_path / "runs"

    def deploy() -> None:
        files.directory(name="before", path=str(tmp_path / "before"))
        server.shell(name="cut", commands=[f"echo once >>{runs}; {sshd.ends_connections}; sleep 5"])

    result = set_up(deploy)
    assert (result.failed, result.connection_lost) == ("the ssh connection was lost", True)
    assert result.changed == ("before",)
    assert len(runs.read_text().splitlines()) == CONNECTIONS


def test_an_operation_that_fails_by_itself_runs_once(
    set_up: SetUp, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    runs = tmp_path / "runs"

    def deploy() -> None:
        server.shell(name="fails", commands=[f"echo once >>{runs}; echo no >&2; exit 3"])

    assert set_up(deploy) == Result(failed="fails", output=("no",))
    assert runs.read_text() == "once\n"
    assert "Traceback" not in capfd.readouterr().err

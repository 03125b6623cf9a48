"""The agent's client over a real ssh connection, against a stand-in whose answers the test sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.fleet.agent import Agent, Order
from slipway.fleet.agent_call import AgentError
from slipway.fleet.ssh import Connection

Says = Callable[..., Agent]


@pytest.fixture
def says(web1: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """An agent that keeps what it was asked in `asked`, says `lines` on stderr, and answers `answer`."""

    def made(answer: object, *, code: int = 0, lines: tuple[str, ...] = ()) -> Agent:
        program = tmp_path / "agent"
        said = "".join(f"echo '{line}' >&2\n" for line in lines)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        program.write_text(
            f"#!/bin/sh\necho $1 >{tmp_path}/command\ncat >{tmp_path}/asked\n{said}"
            f"cat <<'EOF'\n{text}\nEOF\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setattr("slipway.fleet.agent_call.PROGRAM", str(program))
        return Agent(web1)

    return made


def test_the_request_goes_over_standard_input_and_never_into_arguments(says: Says, tmp_path: Path) -> None:
    agent = says({"ok": True, "slot": "green", "bytes": 7})
    staged = agent.stage(
        order=Order(3, 2),
        release=5,
        build="b1",
        manifest={},
        config="c",
        env={"web": {"KEY": "canary-value"}},
        ticket=None,
        env_ticket={},
    )
    assert (staged.slot, staged.bytes) == ("green", 7)
    assert (tmp_path / "command").read_text() == "stage\n"
    asked = json.loads((tmp_path / "asked").read_text())
    assert asked["env"] == {"web": {"KEY": "canary-value"}}
    assert (asked["fence"], asked["step"]) == (3, 2)
    assert "slot" not in asked


def test_a_refusal_keeps_its_code_log_and_details(says: Says) -> None:
    error = {"code": "disk_full", "message": "no room", "log": ["line"], "needs": 9, "has": 1}
    with pytest.raises(AgentError, match="no room") as caught:
        says({"ok": False, "error": error}, code=1).boot(order=Order(1, 0), release=1)
    assert (caught.value.code, caught.value.host, caught.value.log) == ("disk_full", "web1", ["line"])
    assert caught.value.detail == {"needs": 9, "has": 1}


def test_an_agent_that_breaks_off_is_told_with_its_last_words(says: Says) -> None:
    with pytest.raises(AgentError, match=r"broke off at `status` \(exit code 9\)") as caught:
        says("not json", code=9, lines=("Traceback", "MemoryError")).status()
    assert caught.value.log == ["Traceback", "MemoryError"]


def test_a_host_without_an_agent_is_told_what_to_do(
    web1: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.fleet.agent_call.PROGRAM", "/nonexistent/slipway-agent")
    with pytest.raises(AgentError, match="no working slipway-agent") as caught:
        Agent(web1).status()
    assert "slipway up" in caught.value.remedy


def test_an_answer_of_another_form_names_the_field_and_not_the_value(says: Says) -> None:
    with pytest.raises(AgentError, match=r"a form this slipway does not know: slots\.blue\.state") as caught:
        says({"ok": True, "slots": {"blue": {"state": "canary"}}}).status()
    assert "canary" not in str(caught.value)


def test_keys_of_a_newer_agent_are_let_through(says: Says) -> None:
    status = says(
        {"ok": True, "host": "web1", "moon": "full", "active": "blue", "slots": {"blue": {}}}
    ).status()
    assert status.host == "web1"
    assert status.live is not None


def test_output_of_a_task_is_heard_as_it_comes(says: Says) -> None:
    lines: list[str] = []
    agent = says({"ok": True, "exit": 2, "seconds": 0.1, "tail": ["b"]}, lines=("a", "b"))
    ran = agent.run(scope="task", argv=["x"], timeout=5, on_output=lines.append)
    assert (ran.exit, lines) == (2, ["a", "b"])


def test_logs_are_plain_lines_and_can_be_followed(says: Says) -> None:
    agent = says("one\ntwo")
    assert agent.logs(lines=2) == ["one", "two"]
    assert list(agent.follow_logs(lines=2)) == ["one", "two"]


def test_observed_traffic_is_told_by_old_and_new(says: Says) -> None:
    quiet = {"count": 0, "errors": 0, "p50_ms": 0, "p95_ms": 0}
    busy = {"count": 9, "errors": 1, "p50_ms": 3, "p95_ms": 8, "probes": 4, "waiting": 2}
    seen = says({"ok": True, "active": "green", "slots": {"blue": quiet, "green": busy}}).observe()
    assert (seen.new.count, seen.new.errors, seen.new.p95_ms) == (9, 1, 8)
    assert (seen.new.probes, seen.new.waiting) == (4, 2)
    assert (seen.old.count, seen.old.p95_ms) == (0, 0)

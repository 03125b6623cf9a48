import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hosts.agent import main
from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject

ROOT = Path(main.__file__).parents[2]
HOT = ("status", "switch", "haproxy", "state", "handover", "cron")
SLOW = {
    "argparse",
    "dataclasses",
    "http.client",
    "inspect",
    "pathlib",
    "subprocess",
    "typing",
    "urllib.parse",
}


def test_what_a_switch_needs_imports_nothing_slow():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import hosts.agent.main\n"
    code += "".join(f"import hosts.agent.{name}\n" for name in HOT if name != "cron") + "print(*sys.modules)"
    done = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True, check=True)
    assert not SLOW & set(done.stdout.split())


def test_only_the_standard_library_is_imported():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import importlib\n"
    for path in sorted((ROOT / "hosts/agent").glob("*.py")):
        if path.stem != "__main__":
            code += f"importlib.import_module('hosts.agent.{path.stem}')\n"
    code += "known = sys.stdlib_module_names | {'hosts', '__main__'}\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules} - known)"
    done = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "request_", "code"),
    [
        (["nope"], "", "bad_request"),
        ([], "", "bad_request"),
        (["status"], "{", "bad_request"),
        (["status"], "[]", "bad_request"),
    ],
)
def test_a_wrong_call_is_answered_in_json_with_exit_1(arguments: list[str], request_: str, code: str):
    done = subprocess.run(
        [sys.executable, "-m", "hosts.agent", *arguments],
        input=request_,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert answer["ok"] is False
    assert answer["error"]["code"] in (code, "not_root")


def _left_alone(_signal: int, _handler: object) -> None:
    """Tests keep pytest's own handlers."""


def test_an_accident_tells_where_and_never_a_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def broken(_arguments: list[str], *, bound: bool) -> dict[str, object]:
        raise KeyError("the-secret-value")

    monkeypatch.setattr(main, "_run", broken)
    monkeypatch.setattr(sys, "argv", ["slipway-agent", "status"])
    monkeypatch.setattr(signal, "signal", _left_alone)  # this process is not the agent's own
    assert main.main() == 1
    said = capsys.readouterr().out
    assert "the-secret-value" not in said
    assert json.loads(said)["error"]["code"] == "internal"
    assert "test_main.py" in said


def test_a_reader_that_has_gone_away_does_not_break_the_command(tmp_path: Path):
    code = "import sys, time; from hosts.agent.main import _say; time.sleep(0.2); _say({'ok': True}); "
    code += "open(sys.argv[1], 'w')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "done")], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout
    process.stdout.close()
    assert process.wait() == 0
    assert (tmp_path / "done").exists()


def test_errors_carry_their_numbers_beside_the_message():
    error = AgentError("disk_full", "m", detail={"needs": 2, "has": 1})
    assert error.to_json() == {"code": "disk_full", "message": "m", "log": [], "needs": 2, "has": 1}


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("credentials", {}),
        ("converge", {}),
        ("leave", {}),
        ("run", {"scope": "task"}),
        ("run", {"scope": "task", "argv": ["id"]}),
        ("run", {"scope": "migrate", "argv": ["id"]}),
        ("run", {"scope": "migrate", "env": {"NODE_OPTIONS": "--require=/tmp/x"}}),
        ("run", {"scope": "migrate", "directory": "/tmp"}),
    ],
)
def test_a_key_of_ci_runs_no_command_of_its_own(name: str, request_: dict[str, object]):
    with pytest.raises(AgentError) as refused:
        main.refuse_unless_of_a_release(name, JsonObject(request_, name))
    assert refused.value.code == "bound"


def test_a_key_of_ci_does_what_a_release_needs():
    for name in main.BOUND:
        assert name in main.COMMANDS
        main.refuse_unless_of_a_release(name, JsonObject({"scope": "migrate", "argv": []}, name))

import shutil
import subprocess
from pathlib import Path

import pytest

from hosts.agent import units
from hosts.agent.host import Paths
from hosts.agent.json_object import JsonObject
from hosts.agent.state import Process


def text(name: str = "web", **more: object) -> str:
    process = Process(name, JsonObject({"command": "bun run src/web.ts --port=$PORT", **more}, name))
    return units.render(Paths(), "green", process, 2 if more.get("instances") == 2 else 1)


def test_an_instance_has_its_own_port_and_nothing_of_the_release_in_its_text():
    unit = text(instances=2)
    assert '"PORT=22002"' in unit
    assert "EnvironmentFile=/etc/slipway/env/green/web.env" in unit
    assert "WorkingDirectory=/srv/slipway/slots/green\n" in unit
    assert text() == text()


def test_only_the_web_process_listens():
    assert "PORT=" not in text("worker").replace("--port=$$PORT", "")


def test_the_stop_is_as_slipway_toml_says():
    unit = text(stop_signal="SIGINT", drain_seconds=90, memory_max="1G")
    assert {"KillSignal=SIGINT", "TimeoutStopSec=90", "MemoryMax=1G", "KillMode=mixed"} <= set(
        unit.splitlines()
    )


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("bun src/web.ts", "exec bun src/web.ts"),
        ("node server.js --port=$PORT", "exec node server.js --port=$PORT"),
        ("exec node server.js", "exec node server.js"),
        ("A=1 node server.js", "A=1 node server.js"),
        ("a && b", "a && b"),
        ("a; b", "a; b"),
    ],
)
def test_a_plain_command_takes_the_shells_place_so_that_it_gets_the_signal(command: str, run: str):
    assert units.shell(command) == run


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_every_line_and_calls_it_safe(tmp_path: Path):
    path = tmp_path / "slipway-web@green-1.service"
    path.write_text(text().replace("User=app-web\nGroup=app-web", "User=nobody\nGroup=nogroup"))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Unknown key" not in done.stderr


def test_quotes_specifiers_and_variables_reach_the_shell_as_they_are():
    assert units.quote('a "b" %h $HOME \\ \n') == '"a \\"b\\" %%h $$HOME \\\\ \\n"'

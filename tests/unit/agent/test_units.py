import shutil
import subprocess
from pathlib import Path

import pytest

from hosts.agent import units
from hosts.agent.errors import AgentError
from hosts.agent.host import Paths
from hosts.agent.image import Image
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


IMAGE = Image("/srv/slipway/builds/b1", JsonObject({"env": {"PATH": "/opt/bin", "PORT": "80"}}, "image"))


def of_image(**fields: object) -> str:
    process = Process("web", JsonObject({"command": "/opt/bin/serve '50% $of it'", **fields}, "web"))
    return units.render(Paths(), "green", process, 1, IMAGE)


def test_a_process_of_an_image_has_its_file_system_as_root_and_no_shell():
    unit = of_image(directory="home/app")
    assert {
        "RootDirectory=/srv/slipway/builds/b1",
        "WorkingDirectory=/home/app",
        'ExecStart="/opt/bin/serve" "50%% $$of it"',
        'Environment="PATH=/opt/bin"',
        'Environment="PORT=22001"',
        "ProtectHome=no",
        "EnvironmentFile=/etc/slipway/env/green/web.env",
        "User=app-web",
    } <= set(unit.splitlines())
    assert "WorkingDirectory=/\n" in of_image()


def test_all_of_the_sandbox_but_the_image_s_own_home_is_as_for_other_builds():
    without = set(units.SANDBOX.splitlines()) - {"ProtectHome=yes"}
    assert without <= set(of_image().splitlines())
    assert "RootDirectory" not in text()


@pytest.mark.parametrize("command", ["", "serve", "'/bin/x", "+/bin/serve", "/bin/se%i"])
def test_a_command_of_an_image_that_systemd_would_read_otherwise_is_refused(command: str):
    with pytest.raises(AgentError, match="command"):
        IMAGE.words(command)


@pytest.mark.parametrize("name", ["A B", "A\nExecStart", "", "1A"])
def test_variables_that_are_none_are_refused(name: str):
    with pytest.raises(AgentError, match="not a name of a variable"):
        Image("", JsonObject({"env": {name: "x"}}, "image")).check()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_knows_every_line_of_a_unit_for_an_image(tmp_path: Path):
    path = tmp_path / "slipway-web@green-1.service"
    path.write_text(of_image().replace("User=app-web\nGroup=app-web", "User=nobody\nGroup=nogroup"))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "Unknown key" not in done.stderr


def test_a_units_text_does_not_depend_on_the_order_of_the_images_variables():
    one, two = ({"A": "1", "B": "2"}, {"B": "2", "A": "1"})
    process = Process("web", JsonObject({"command": "/serve"}, "web"))
    texts = {
        units.render(Paths(), "green", process, 1, Image("/b", JsonObject({"env": env}, "image")))
        for env in (one, two)
    }
    assert len(texts) == 1

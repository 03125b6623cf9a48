"""A package of the name of Systems Manager's agent, to be installed as that is."""

import subprocess
from pathlib import Path

_CONTROL = """\
Package: amazon-ssm-agent
Version: 1.0
Architecture: all
Maintainer: test
Description: stands where the agent of Systems Manager does
"""
_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


def session_agent(folder: Path) -> bytes:
    """A package of the agent's name: what the real one does needs AWS."""
    root = folder / "package"
    for path, text in (
        ("DEBIAN/control", _CONTROL),
        ("lib/systemd/system/amazon-ssm-agent.service", _UNIT),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    made = folder / "agent.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, made], check=True, capture_output=True)
    return made.read_bytes()

"""A package of the name of Systems Manager's agent, signed as that is, by a key of the tests."""

import subprocess
from pathlib import Path

from hosts.aws import SSM_VERSION

_CONTROL = """\
Package: amazon-ssm-agent
Version: {version}-1
Architecture: all
Maintainer: test
Description: stands where the agent of Systems Manager does
"""
_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


def signing_key(folder: Path) -> str:
    """A new key in a GnuPG home in `folder`; its public half, as AWS publishes its own."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    gpg(home, "--passphrase", "", "--quick-generate-key", "signer@tests.example", "rsa2048", "sign", "1d")
    return gpg(home, "--armor", "--export").decode()


def gpg(home: Path, *arguments: str) -> bytes:
    """What GnuPG answers."""
    argv = ["gpg", "--homedir", home, "--batch", "--yes", "--quiet", *arguments]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def session_agent(folder: Path, version: str = SSM_VERSION) -> tuple[bytes, bytes]:
    """A package of the agent's name and its signature: what the real one does needs AWS."""
    root = folder / f"package-{version}"
    for path, text in (
        ("DEBIAN/control", _CONTROL.format(version=version)),
        ("lib/systemd/system/amazon-ssm-agent.service", _UNIT),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    made = folder / f"agent-{version}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, made], check=True, capture_output=True)
    return made.read_bytes(), gpg(folder / "gnupg", "--output", "-", "--detach-sign", str(made))

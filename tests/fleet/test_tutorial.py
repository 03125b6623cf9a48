"""The tutorial, typed from its first line to its last, on a fresh server: Debian, sshd, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slipway.platforms.local.docker import find_docker
from slipway.platforms.local.keys import operator_key
from tests.fleet.checks.conftest import PROOF
from tests.fleet.servers import USER, PlainServer, plain_servers
from tests.unit.pages.blocks import DOCS, Block, blocks
from tests.unit.pages.shell import type_and_compare

pytestmark = pytest.mark.fleet

NOT_TYPED = {
    "sudo apt-get ": "installs packages on this machine",
    "uv tool install ": "slipway is the one of this clone",
    "slipway secrets set SITE_CERTIFICATE": "needs a certificate for the reader's own domain",
}


@PROOF
def test_the_tutorial_ends_with_a_live_site_and_a_rollback(tmp_path: Path):
    if find_docker() is None:
        pytest.skip("no Docker")
    with plain_servers(tmp_path / "keys", {"one": "[edge, web, data]"}) as (server,):
        page = [as_on(server, block) for block in blocks(DOCS / "tutorial.md")]
        type_and_compare(
            page,
            tmp_path,
            lambda line: not line.startswith(tuple(NOT_TYPED)),
            {"SLIPWAY_SSH_KEY_FILE": str(operator_key(tmp_path / "keys").path)},
            seconds=1200,
        )


def as_on(server: PlainServer, block: Block) -> Block:
    """The block with the facts of this server in place of the example's."""
    text = block.text.replace(
        "address: 10.0.0.2 ", f"public: {server.address}\n      address: {server.address} "
    )
    text = text.replace("root@203.0.113.10", f"{USER}@127.0.0.1:{server.ssh_port}")
    text = re.sub(r"host_key: ssh-ed25519 \S+", f"host_key: {server.host_key}", text)
    text = text.replace(
        "curl ", f"curl --silent --show-error --resolve hello.example.com:443:{server.address} "
    )
    return block._replace(text=text)

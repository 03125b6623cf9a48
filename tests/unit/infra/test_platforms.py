from __future__ import annotations

from pathlib import Path

import pytest

from infra.__main__ import declare
from slipway.settings import BadInput, open_project

STACK = """\
config:
  slipway:platform: servers
  slipway:domain: shop.example.com
  slipway:database: none
  slipway:redis: false
  slipway:uploads: false
  slipway:servers:
    - {name: edge, role: edge, address: 10.0.0.1, ssh: root@192.0.2.1, host_key: ssh-ed25519 AAAA}
    - {name: web, role: web, address: 10.0.0.2, ssh: root@192.0.2.2, host_key: ssh-ed25519 AAAA}
    - {name: data, role: data, address: 10.0.0.3, ssh: root@192.0.2.3, host_key: ssh-ed25519 AAAA}
"""
APP = """\
name = "shop"
runtime = { name = "none" }
[processes.web]
command = "./shop"
"""


def test_servers_are_not_pulumis_to_make(tmp_path: Path):
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\nmain: infra/\n")
    (tmp_path / "Pulumi.fleet.yaml").write_text(STACK)
    (tmp_path / "slipway.toml").write_text(APP)
    with pytest.raises(BadInput) as refused:
        declare(open_project("fleet", tmp_path))
    assert "platform servers" in str(refused.value)
    assert "slipway up --stack fleet" in refused.value.remedy

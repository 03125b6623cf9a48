"""What a build command can see: enough to reach the package registries, none of the stack's secrets (P8)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from slipway.settings.app import App
from slipway.settings.stack import Stack

EPOCH = 946_684_800
"""2000-01-01: SOURCE_DATE_EPOCH of every build, and the time of files in the deps and runtime layers."""

PASSED_ON = re.compile(
    r"""(?xi) ^(?:
      PATH | HOME | TMPDIR | XDG_CACHE_HOME | XDG_CONFIG_HOME
    | https?_proxy | no_proxy | all_proxy
    | SSL_CERT_FILE | SSL_CERT_DIR | NODE_EXTRA_CA_CERTS | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE
    | npm_config_(?:registry|userconfig|cafile|cache) | BUN_CONFIG_REGISTRY | BUN_INSTALL_CACHE_DIR
    | UV_(?:INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS)
    | UV_(?:CACHE_DIR|NATIVE_TLS|SYSTEM_CERTS|HTTP_TIMEOUT)
    | UV_PYTHON_INSTALL_MIRROR | PIP_(?:INDEX_URL|EXTRA_INDEX_URL|CERT|FIND_LINKS)
    | GOPROXY | GOFLAGS | GOCACHE | GOMODCACHE | CARGO_HOME | RUSTUP_HOME
    )$"""
)
"""Of the operator's own environment: where tools are, and how package registries are reached."""


def build_env(runtime_bin: Path | None, public: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a build command; the pinned runtime comes first on PATH.

    `public` are values that browsers may see (`client = true` in the env contract).
    """
    env = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
    path = env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env |= {
        "PATH": f"{runtime_bin}:{path}" if runtime_bin else path,
        "LANG": "C.UTF-8",
        "CI": "1",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "UV_VENV_RELOCATABLE": "1",
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    if runtime_bin and (runtime_bin / "python3").exists():
        env["UV_PYTHON"] = str(runtime_bin / "python3")
    return env | dict(public)


def client_env(app: App, stack: Stack) -> dict[str, str]:
    """The env contract's plain values that are compiled into what browsers load, as this stack has them."""
    return {
        name: stack.env.get(name, variable.value)
        for name, variable in app.env.items()
        if variable.client and variable.value is not None
    }

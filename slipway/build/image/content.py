"""What a build takes from an image: layers, and what its config says of the program, filled into the app."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from slipway.build import cache
from slipway.build.image.archive import Config, read_archive
from slipway.build.image.files import Files, read_files
from slipway.build.image.packages import installed
from slipway.build.layer import LEVEL, Packed, pack, recalled, record_of
from slipway.build.lockfiles import Package
from slipway.build.manifest import Image
from slipway.settings import App, BadInput, Process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for if the image names no PATH; so does every engine."""
SIGNALS = get_args(Process.model_fields["stop_signal"].annotation)


@dataclass(frozen=True)
class Content:
    """An image as the content of a build. `origins`: files below its working directory, by name in it."""

    app: App
    """The app; what slipway.toml leaves to the image is filled in."""
    image: Image
    layers: list[Packed]
    origins: dict[str, Path]
    packages: list[Package]
    notes: list[str]


def read_content(app: App, archive: Path, arch: str, folder: Path, line: Callable[[str], None]) -> Content:
    """The image in `archive`, for hosts of `arch`; `folder` is empty and as large as the image becomes.

    Raises BadInput for an image that cannot run on hosts: another architecture, nothing to start, or a need
    of a container engine.
    """
    image = read_archive(archive, arch, folder)
    config = image.config
    _refuse_what_cannot_work(config)
    files = read_files(image.layers, folder)
    layers = [_packed(files, number, line) for number in files.layers()]
    directory = files.resolve(config.directory) or ""
    below = f"{directory}/" if directory else ""
    return Content(
        app=_Filled(files, config).app(app),
        image=Image(
            digest=image.digest,
            reference=app.runtime.reference or "",
            user=config.user,
            ports=list(config.ports),
            env=_environment(config),
        ),
        layers=layers,
        origins={
            name.removeprefix(below): node.origin
            for name, node in files.nodes.items()
            if node.kind == "file" and name.startswith(below)
        },
        packages=installed(files),
        notes=_notes(config),
    )


def _packed(files: Files, number: int, line: Callable[[str], None]) -> Packed:
    entries = files.entries(number)
    content = [
        (each.name, each.kind, each.target, each.program, cache.file_digest(each.origin))
        if each.kind == "file"
        else (each.name, each.kind, each.target)
        for each in entries
    ]
    key = cache.settings_digest(content, LEVEL)
    if known := recalled(cache.recall("images", key)):
        return known
    line(f"packing a layer of the image, {sum(each.size for each in entries) / 1e6:.1f} MB")
    layer = pack(entries)
    cache.remember("images", key, record_of(layer))
    return layer


def _environment(config: Config) -> dict[str, str]:
    """The image's variables, but for HOME: a process has one of its own."""
    kept = {name: value for name, value in config.env.items() if re.fullmatch(r"[A-Za-z_]\w*", name)}
    kept.pop("HOME", None)
    return {"PATH": PATH, **kept}


class _Filled:
    """An app of which the image's config says what slipway.toml does not."""

    def __init__(self, files: Files, config: Config) -> None:
        self.files, self.config = files, config
        self.path = config.env.get("PATH") or PATH

    def app(self, app: App) -> App:
        processes = {name: self.process(name, process) for name, process in app.processes.items()}
        cron = {
            name: entry.model_copy(
                update={"command": entry.command and self.words(f"cron.{name}", entry.command, "")}
            )
            for name, entry in app.cron.items()
        }
        migrate = app.migrate
        if migrate:
            given = "directory" in migrate.model_fields_set
            directory = self.folder("migrate", migrate.directory if given else self.config.directory)
            command = self.words("migrate", migrate.command, directory)
            migrate = migrate.model_copy(update={"directory": directory or ".", "command": command})
        return app.model_copy(update={"processes": processes, "cron": cron, "migrate": migrate})

    def process(self, name: str, process: Process) -> Process:
        where = f"processes.{name}"
        given = process.model_fields_set
        directory = self.folder(where, process.directory if "directory" in given else self.config.directory)
        command = process.command or shlex.join(self.config.entrypoint)
        if not command:
            raise BadInput(
                f"{where}.command: the image has neither ENTRYPOINT nor CMD",
                remedy="give the program and its arguments in slipway.toml, or add CMD to the Dockerfile",
            )
        update = {
            "directory": directory or ".",
            "command": self.words(where, command, directory),
            "stop_signal": process.stop_signal if "stop_signal" in given else self.stop_signal(where),
        }
        return process.model_copy(update=update)

    def folder(self, where: str, directory: str) -> str:
        """The name of a folder of the image, without links; empty for its root."""
        found = self.files.resolve(directory)
        if found is None or (found and self.files.nodes[found].kind != "folder"):
            raise BadInput(
                f"{where}.directory: the image has no folder {directory}",
                remedy="it is relative to the image's root; hosts mount over /tmp and /run",
            )
        return found

    def words(self, where: str, command: str, directory: str) -> str:
        """`command` with the path of its program in the image, as words that no shell reads."""
        try:
            program, *arguments = shlex.split(command)
        except ValueError as error:
            raise BadInput(f"{where}.command: {error}", remedy="close the quote") from None
        folders = [directory] if "/" in program else self.path.split(":")
        for folder in folders:
            path = "/" + (program if program.startswith("/") else f"{folder}/{program}").lstrip("/")
            name = self.files.resolve(path) or ""
            found = self.files.nodes.get(name)
            if found and found.kind == "file" and found.program:
                if name.rpartition("/")[2] == "systemd":
                    raise BadInput(
                        f"{where}.command: {program} is systemd, which runs only in a privileged container",
                        remedy="start the app itself; hosts have a systemd that restarts it",
                    )
                return shlex.join([path, *arguments])
        raise BadInput(
            f"{where}.command: the image has no program {program}",
            remedy='give a path in the image; a shell is not implied: `sh -c "…"` if the image has one',
        )

    def stop_signal(self, where: str) -> str:
        said = self.config.stop_signal.upper() or "SIGTERM"
        named = {"15": "SIGTERM", "2": "SIGINT", "3": "SIGQUIT", "10": "SIGUSR1", "12": "SIGUSR2"}
        signal = named.get(said, said if said.startswith("SIG") else f"SIG{said}")
        if signal not in SIGNALS:
            raise BadInput(
                f"{where}.stop_signal: the image's STOPSIGNAL is {said}, which hosts do not send",
                remedy=f"give one of {', '.join(SIGNALS)} in slipway.toml",
            )
        return signal


def _refuse_what_cannot_work(config: Config) -> None:
    sockets = [each for each in config.volumes if "docker.sock" in each or "containerd.sock" in each]
    if not sockets and config.env.get("DOCKER_HOST", "").startswith("unix:"):
        sockets = ["DOCKER_HOST"]
    if sockets:
        raise BadInput(
            f"the image wants a container engine's socket ({sockets[0]}); hosts have no container engine",
            remedy="an app that starts containers cannot run here",
        )


def _notes(config: Config) -> list[str]:
    notes: list[str] = []
    if config.user.partition(":")[0] in ("", "0", "root"):
        notes.append("the image's user is root; here each process has an unprivileged account of its own")
    if config.ports:
        notes.append(f"the image exposes {', '.join(config.ports)}; here the app must listen on $HOST:$PORT")
    if config.volumes:
        notes.append(
            f"the image's volumes ({', '.join(config.volumes)}) are read-only here, unlike $HOME and /tmp"
        )
    return notes

"""The sandbox of a build's commands, by bubblewrap: they reach no secret of the operator, and change nothing.

Own namespaces for users, processes and mounts. In them are the system's programs, the folder that the
command works in, the programs on PATH, the caches of package managers, and an empty home folder. The network
is the machine's, because package registries are there.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache as once
from pathlib import Path

from slipway.build.cache import cache_dir
from slipway.settings import BadInput, Project

HOME = "/home/build"
"""Empty, and gone with the command."""
NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
ROOTS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Links into /usr, on systems that have merged them."""
ETC = (
    *("alternatives", "ca-certificates", "fonts", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf"),
    *(
        "ld.so.conf.d",
        "localtime",
        "mime.types",
        "nsswitch.conf",
        "passwd",
        "pki",
        "protocols",
        "resolv.conf",
    ),
    *("services", "ssl", "timezone"),
)
"""What programs read in /etc that holds no secret."""
READ_FROM = (
    *(
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "PIP_CERT",
    ),
    *("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_PYTHON", "RUSTUP_HOME"),
    *("npm_config_cafile", "npm_config_userconfig", "NPM_CONFIG_CAFILE", "NPM_CONFIG_USERCONFIG"),
)
"""Variables whose value is a path to read from; the operator named it, so commands may see it."""
KEPT_IN = (
    "UV_CACHE_DIR",
    "BUN_INSTALL_CACHE_DIR",
    "npm_config_cache",
    "NPM_CONFIG_CACHE",
    "GOCACHE",
    "GOMODCACHE",
)
"""Variables whose value is a cache to write to."""
NEVER = ("TMPDIR", "XDG_CONFIG_HOME")
"""Variables that name folders which are not in the sandbox."""
UNSANDBOXED = (
    "build commands run without a sandbox: they can read all files and keys of this user, and the "
    "environment of slipway"
)


def sandboxed(
    argv: Sequence[str], env: Mapping[str, str], *, directory: Path, caches: Path
) -> tuple[list[str], dict[str, str]]:
    """`argv` and `env` as they run in the sandbox, where `directory` is the only folder of the operator's.

    `caches` is a folder for what commands keep between builds. Raises BadInput where there can be no sandbox.
    """
    if why := refusal():
        raise BadInput(f"no sandbox for build commands: {why[0]}", remedy=why[1])
    directory = directory.absolute()
    caches.mkdir(parents=True, exist_ok=True)
    inside = {name: value for name, value in env.items() if name not in NEVER}
    inside |= {"HOME": HOME, "XDG_CACHE_HOME": str(caches)}
    inside.setdefault("npm_config_cache", str(caches / "npm"))
    inside.setdefault("GOMODCACHE", str(caches / "go-mod"))
    inside.setdefault("CARGO_HOME", str(caches / "cargo"))
    inside.setdefault("RUSTUP_HOME", str(Path.home() / ".rustup"))
    read = [*_tools(env.get("PATH", "")), *_paths(inside, READ_FROM)]
    written = [caches, *_paths(env, KEPT_IN)]
    if cargo := env.get("CARGO_HOME"):  # but not its credentials
        written += [Path(cargo, name) for name in ("registry", "git") if Path(cargo, name).is_dir()]
    bound = [*_bound("--ro-bind", read), *_bound("--bind", [*written, directory])]
    return [*_system(), *bound, "--chdir", str(directory), "--", *argv], inside


def command_caches(
    project: Project, line: Callable[[str], None], *, unsandboxed: bool = False
) -> Path | None:
    """What the sandbox keeps between builds of this app; None, which is said: there is to be no sandbox."""
    if unsandboxed or project.stack.unsandboxed_build:
        line(f"warning: {UNSANDBOXED}")
        return None
    return cache_dir() / "commands" / project.app.name


@once
def refusal() -> tuple[str, str] | None:
    """Why there is no sandbox on this machine, and the remedy; None: there is one."""
    without = "or go on without (--unsandboxed-build, slipway:unsandboxed_build)"
    if not shutil.which("bwrap"):
        return "bubblewrap (bwrap) is not installed", f"apt-get install bubblewrap; {without}"
    try:
        tried = subprocess.run(
            [*_system(), "--", "/bin/sh", "-c", ":"], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"bubblewrap does not start: {error}", without
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().splitlines()[-1:] or [f"exit {tried.returncode}"]
    return (
        f"this machine refuses the namespaces that it needs ({said[0]})",
        "on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0; in a Docker container: start it "
        f"with --security-opt seccomp=unconfined --security-opt systempaths=unconfined; {without}",
    )


def _system() -> list[str]:
    """bwrap, and what every command needs of the machine."""
    command = ["bwrap", *NAMESPACES, "--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"]
    for root in map(Path, ROOTS):
        if root.is_symlink():
            command += ["--symlink", str(root.readlink()), str(root)]
        elif root.is_dir():
            command += ["--ro-bind", str(root), str(root)]
    for path in (Path("/etc", name) for name in ETC):
        if path.exists():  # resolv.conf is often a link into /run, which is not there
            command += ["--ro-bind", str(path.resolve() if path.name == "resolv.conf" else path), str(path)]
    fresh = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/var/tmp")  # noqa: S108
    return [*command, *fresh, "--dir", HOME]


def _tools(search: str) -> Iterator[Path]:
    """What the programs on `search` (a PATH) consist of, outside of /usr.

    A folder `bin` has its libraries beside it; a link leads to its program.
    """
    for folder in map(Path, dict.fromkeys(search.split(os.pathsep))):
        if not folder.is_absolute() or not folder.is_dir():
            continue
        yield folder
        if folder.name == "bin" and folder.parent != Path.home():
            beside = ("lib", "lib64", "libexec", "debian", "pyvenv.cfg")
            yield from (path for path in (folder.parent / name for name in beside) if path.exists())
        for path in folder.iterdir():
            if path.is_symlink() and path.is_file() and os.access(path, os.X_OK):
                yield path.resolve()


def _paths(env: Mapping[str, str], names: Iterable[str]) -> Iterator[Path]:
    given = (Path(env[name]) for name in names if env.get(name))
    return (path for path in given if path.is_absolute() and path.exists())


def _bound(how: str, paths: Iterable[Path]) -> Iterator[str]:
    """`paths` bound to where they are; outer folders first, so that none hides what is in it."""
    done: list[Path] = [Path("/usr")]
    for path in sorted(set(paths), key=lambda path: len(path.parts)):
        if str(path) not in ROOTS and not any(path.is_relative_to(outer) for outer in done):
            done.append(path)
            yield from (how, str(path), str(path))

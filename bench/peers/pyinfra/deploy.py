"""A plain pyinfra deploy: the release's files, the link to it, a restart, one host after the other."""

# pyright: reportUnknownMemberType=false
from pyinfra import host  # pyright: ignore[reportPrivateImportUsage] - as its docs have it
from pyinfra.operations import files, server, systemd

root, version = host.data.root, host.data.version
release = f"{root}/releases/{version}"

files.directory(name="a folder for the release", path=release)
files.sync(name="the release's files", src=host.data.source, dest=release)
for kept in host.data.kept.split(","):
    files.link(
        name=f"{kept}, which has not changed", path=f"{release}/{kept}", target=f"{root}/shared/{kept}"
    )
files.link(name="this release is the current one", path=f"{root}/current", target=release)
systemd.service(name="restart", service="peer-web", restarted=True, _serial=True)
server.shell(
    name="wait until it is ready",
    commands=[f"curl -fsS --retry 200 --retry-delay 0 --retry-all-errors -o /dev/null {host.data.ready}"],
    _serial=True,
)

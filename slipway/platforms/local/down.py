"""`slipway down` of a local fleet: hosts are switched off and keep everything, or go with all their data."""

from __future__ import annotations

import shutil

from slipway.platforms.fleet_setup.lock import only_one
from slipway.platforms.local.containers import Fleet
from slipway.platforms.local.daemon import ensure_daemon
from slipway.platforms.local.docker import find_docker
from slipway.progress import Progress
from slipway.settings.project import Project


def down(project: Project, *, volumes: bool = False, progress: Progress) -> None:
    """Switch the fleet off; with `volumes`, remove hosts, network, data and certificates.

    Does nothing where nothing is. Secrets stay: they are the stack's and not the fleet's.
    """
    if find_docker() is None:
        return
    with only_one(project), progress.phase("down"):
        fleet = Fleet(ensure_daemon(progress), project)
        states = fleet.states()
        fleet.refuse_foreign(states, gone_too=False)
        for host in states:
            progress.host(host, "stopping")
        if not volumes:
            fleet.stop([state.host for state in states.values() if state.running])
        else:
            fleet.remove(sorted(states))
            fleet.remove_volumes()
            if fleet.docker.inspect("network", fleet.name):
                fleet.docker.run("network", "rm", fleet.name)
            for name in ("outputs.json", "ssh_config", "known_hosts"):
                (project.state_dir / name).unlink(missing_ok=True)
            for folder in ("ssh", "tls"):
                shutil.rmtree(project.state_dir / folder, ignore_errors=True)

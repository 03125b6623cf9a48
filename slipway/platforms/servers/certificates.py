"""The fleet's own certificates, made by `up` and kept in the secret store, so that all have the same."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.platforms.fleet_setup.authority import Authority, ensure_leaf_pem, make_authority
from slipway.platforms.servers.entries import CA_CERTIFICATE, CA_KEY, DATA_CERTIFICATE, FLEET_SITE, SITE
from slipway.platforms.servers.outputs import site_names
from slipway.secrets.store import SecretStore
from slipway.settings.project import Project

LOOPBACK_NAMES = ("localhost", "127.0.0.1")
"""The operator reaches the data host's services through ssh, as 127.0.0.1."""


def ensure_certificates(store: SecretStore, project: Project) -> dict[str, str]:
    """All entries of the store, after those that are missing, or end soon, or name others, are made anew."""
    held = store.read()
    wanted = fleet_certificates(held, project)
    made = {name: value for name, value in wanted.items() if held.get(name) != value}
    store.update(made)
    return {**held, **made}


def fleet_certificates(held: Mapping[str, str], project: Project) -> dict[str, str]:
    """The fleet's own certificates as they shall be, by entry; `held` ones that are good stay."""
    authority = Authority(held.get(CA_CERTIFICATE, "").encode(), held.get(CA_KEY, "").encode())
    if not authority.is_good():
        authority = make_authority(project.fleet_id)
    data = next(server for server in project.stack.servers if server.role == "data")
    names = {DATA_CERTIFICATE: [data.name, data.address, *LOOPBACK_NAMES]}
    if not held.get(SITE):
        names[FLEET_SITE] = site_names(project.stack)
    leaves = {
        entry: ensure_leaf_pem(held.get(entry, "").encode(), authority, hosts).decode()
        for entry, hosts in names.items()
    }
    return {CA_CERTIFICATE: authority.certificate.decode(), CA_KEY: authority.key.decode(), **leaves}

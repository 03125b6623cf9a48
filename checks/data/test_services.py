"""The data services of the stack's own data host: running, and started at boot (I3, I12)."""

from __future__ import annotations

from checks.data.data_host import DataHost
from checks.kit.check import check
from slipway.stack import LiveStack


@check(
    "I3",
    "I4",
    "I5",
    severity="high",
    why="a data service that is not enabled stays down after a reboot, and the site with it",
    remedy="slipway up enables them: systemctl enable --now UNIT; start.conf of the cluster says auto",
)
def test_data_services_start_at_boot(live: LiveStack, data_host: DataHost) -> None:
    outputs, wanted = live.outputs, list[str]()
    if outputs.database is not None:
        wanted += ["postgresql.service", "pgbouncer.service"]
        wanted += ["slipway-backup.timer"] * bool(outputs.database.backup_host)
    wanted += ["redis-server.service"] * (outputs.redis is not None)
    wanted += ["slipway-redis-tls.service"] * bool(outputs.redis_clients)
    stores = [each for each in (outputs.builds, outputs.uploads) if each is not None]
    addresses = {host.address for host in outputs.by_role("data")}
    if any(address in (each.endpoint or "") for each in stores for address in addresses):
        wanted.append("versitygw.service")
    wrong: list[str] = []
    for unit in wanted:
        state = data_host.units.get(unit, {})
        if not state.get("UnitFileState", "").startswith("enabled"):
            wrong.append(f"{unit} is {state.get('UnitFileState') or 'not there'}")
        elif state.get("ActiveState") != "active":
            wrong.append(f"{unit} is {state.get('ActiveState')}")
    if outputs.database is not None:
        if set(data_host.units["start.conf"]["last"]) - {"auto"}:
            wrong.append("the PostgreSQL cluster is not started at boot (start.conf)")
        open_to_others = set(data_host.units["cluster"]["modes"]) - {"0o700", "0o750"}
        wrong += [f"PostgreSQL does not start on a folder of mode {mode[2:]}" for mode in open_to_others]
    assert not wrong, "; ".join(wrong)

"""Hosts as they are set up: what answers whom, what a role may do, and what a change of set-up costs."""

import dataclasses
import json
import time

import pytest

from hosts.plan import FleetPlan
from hosts.set_up import set_up
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.up import fleet_plan
from slipway.platforms.platform import platform_of
from slipway.settings import Outputs, Project
from tests.fleet.site import Site
from tests.fleet.traffic import traffic

pytestmark = pytest.mark.fleet


def on(project: Project, host: str, script: str) -> str:
    return Docker().execute(f"{project.fleet_id}-{host}", f"{{ {script}; }} 2>&1 || true").strip()


def psql(project: Project, *statements: str) -> str:
    commands = " ".join(f'-c "{statement}"' for statement in statements)
    return on(
        project, "data1", f"cd / && runuser -u postgres -- psql -qAtX -d {database(project)} {commands}"
    )


def database(project: Project) -> str:
    return plan_of(project).database


def outputs_of(project: Project) -> Outputs:
    return Outputs.model_validate_json((project.state_dir / "outputs.json").read_bytes())


def plan_of(project: Project) -> FleetPlan:
    return fleet_plan(project, outputs_of(project), platform_of(project).secret_store().read())


def reaches(project: Project, host: str, target: str, port: int) -> bool:
    address = outputs_of(project).host(target).address
    return on(project, host, f"nc -z -w 2 {address} {port} && echo yes").endswith("yes")


def test_a_fleet_that_is_set_up_is_left_alone(fleet: Project):
    plan = plan_of(fleet)
    set_up(plan)
    assert set(map(tuple, set_up(plan).values())) == {()}


def test_a_set_up_that_was_cut_off_before_its_reload_is_finished(fleet: Project):
    plan = plan_of(fleet)
    set_up(plan)
    on(fleet, "edge", "rm /var/cache/slipway/setup.digest /var/cache/slipway/applied/haproxy-reload")
    assert set_up(plan)["edge"] == ["haproxy reload", "digest"]


def test_a_configuration_that_haproxy_refuses_is_reported_and_the_old_one_serves_on(fleet: Project):
    plan = plan_of(fleet)
    before = on(fleet, "edge", "sha256sum /etc/haproxy/haproxy.cfg")
    broken = plan.app.model_copy(update={"private_paths": ["/a } oops {"]})
    with pytest.raises(Exception, match="setting up edge, web1, web2 failed") as caught:
        set_up(dataclasses.replace(plan, app=broken))
    details = "\n".join(getattr(caught.value, "details", ()))
    assert "haproxy.cfg is refused, the old one stays" in details
    assert on(fleet, "edge", "sha256sum /etc/haproxy/haproxy.cfg") == before
    set_up(plan)


def test_a_change_of_both_proxies_loses_nothing(site: Site):
    project = site.project
    plan = plan_of(project)
    limits = plan.app.limits.model_copy(update={"idle_seconds": plan.app.limits.idle_seconds + 1})
    with traffic(site.root) as during:
        changed = set_up(dataclasses.replace(plan, app=plan.app.model_copy(update={"limits": limits})))
        time.sleep(2)
        set_up(plan)
    assert all("haproxy reload" in changed[host] for host in ("edge", "web1", "web2"))
    during.assert_nothing_lost()


def test_a_journal_that_stands_still_for_a_moment_misses_no_request(site: Site):
    marks = [f"paused-{number:03}" for number in range(100)]
    site.on("edge", "pkill -STOP -x systemd-journal")
    try:
        for mark in marks:
            site.get("/", headers={"X-Request-Id": mark})
    finally:
        site.on("edge", "pkill -CONT -x systemd-journal")
    log = site.on("edge", "journalctl --sync; journalctl -q -o cat -t haproxy --since -2min")
    assert [mark for mark in marks if mark not in log] == []


def test_data_answers_web_and_worker_only(fleet: Project):
    for port in (5432, 6432, 6379):
        assert reaches(fleet, "web1", "data1", port)
        assert reaches(fleet, "worker1", "data1", port)
        assert not reaches(fleet, "edge", "data1", port)
    assert reaches(fleet, "edge", "data1", 7070)


def test_web_answers_the_edge_only(fleet: Project):
    assert reaches(fleet, "edge", "web1", 8080)
    assert not reaches(fleet, "web2", "web1", 8080)
    assert not reaches(fleet, "edge", "web1", 8404)


def test_the_app_may_use_what_migrations_make_and_change_nothing_of_it(fleet: Project):
    name = database(fleet)
    psql(fleet, f"SET ROLE {name}_owner", "CREATE TABLE IF NOT EXISTS of_owner (said text)")
    try:
        app = f"SET ROLE {name}_app"
        assert psql(fleet, app, "INSERT INTO of_owner VALUES ('x')", "SELECT said FROM of_owner") == "x"
        assert "must be owner" in psql(fleet, app, "DROP TABLE of_owner")
        assert "permission denied for schema" in psql(fleet, app, "CREATE TABLE of_app (said text)")
    finally:
        psql(fleet, "DROP TABLE of_owner")


def test_redis_wants_its_password_and_keeps_what_it_has(fleet: Project):
    assert "NOAUTH" in on(fleet, "data1", "redis-cli ping")
    settings = on(fleet, "data1", "cat /etc/redis/redis.conf").splitlines()
    assert {"appendonly yes", "maxmemory-policy noeviction", "protected-mode yes"} <= set(settings)


def test_a_backup_can_be_read_again(fleet: Project):
    backup = json.loads(on(fleet, "data1", "slipway-backup drill"))
    listing = on(fleet, "data1", f"pg_restore --list {backup['file']}")
    assert f"dbname: {database(fleet)}" in listing
    assert backup["bytes"] > 0


def test_sshd_takes_keys_only(fleet: Project):
    settings = set(on(fleet, "web1", "sshd -T").splitlines())
    assert {
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permitrootlogin without-password",
    } <= settings


@pytest.mark.parametrize(
    ("host", "units"),
    [
        ("edge", "haproxy slipway-firewall"),
        ("web1", "haproxy slipway-firewall slipway-restore"),
        ("data1", "postgresql pgbouncer redis-server versitygw slipway-backup.timer slipway-firewall"),
    ],
)
def test_everything_comes_back_with_the_host(fleet: Project, host: str, units: str):
    assert set(on(fleet, host, f"systemctl is-enabled {units}").split()) == {"enabled"}
    assert on(fleet, host, "systemctl --failed --no-legend --plain") == ""

"""A build that a host keeps is what was released, whatever happened to its files there."""

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet


def test_a_kept_build_that_was_changed_on_a_host_is_replaced_before_it_serves_again(site: Site):
    site.change("whose files are changed on web2")
    site.release()
    oldest = site.live()
    for text in ("one", "two"):
        site.change(text)
        site.release()
    build = f"/srv/slipway/builds/{LiveStack(site.project).ledger.get(oldest).build}"
    site.on("web2", f"echo 'throw new Error(\"changed on the host\");' >> {build}/src/web.ts")
    back = slipway(site.root, "rollback", "--to", str(oldest), "--json")
    assert back.code == 0, back.out + back.err
    warning = " ".join(back.json["warnings"])
    assert "web2" in warning
    assert "src/web.ts" in warning
    assert "web1" not in warning
    assert "changed on the host" not in site.on("web2", f"cat {build}/src/web.ts")
    site.wait_until_healthy()
    assert site.live() == oldest

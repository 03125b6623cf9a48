"""Whatever goes wrong while a release or a rollback runs: users lose nothing, and the next command works."""

import pytest

from tests.fleet.faults.matrix import MATRIX, Cell
from tests.fleet.faults.results import keep
from tests.fleet.faults.scene import run
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet


@pytest.mark.parametrize("cell", MATRIX, ids=lambda cell: cell.id)
def test_a_fault_costs_users_nothing_and_the_next_command_recovers(calm: Site, site: Site, cell: Cell):
    outcome = run(site, cell)
    keep(outcome)
    print(outcome)
    assert not outcome.problems, "\n".join(outcome.problems)

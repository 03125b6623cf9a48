"""The pipeline, the ledger and the agents through seeded stories of faults; a seed replays everything."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.simulation.hosts import App
from tests.simulation.kept import SEEDS as KEPT, STORIES
from tests.simulation.patches import simulated
from tests.simulation.story import Fault, Story, play
from tests.simulation.world import Plan, World

SEEDS = int(os.environ.get("SLIPWAY_SEEDS", "100"))
FIRST = int(os.environ.get("SLIPWAY_FIRST_SEED", "0"))
CHUNK = max(25, SEEDS // 40)


@pytest.fixture(autouse=True)
def simulation() -> Iterator[None]:
    with simulated():
        yield


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_whatever_happens_nobody_is_hurt_and_the_next_command_ends_it(first: int):
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        play(seed)


@pytest.mark.parametrize("name", STORIES)
def test_what_once_hurt_ends_well(name: str):
    play(name, STORIES[name])


@pytest.mark.parametrize("seed", KEPT)
def test_what_a_seed_once_found_ends_well(seed: int):
    play(seed)


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_200_interrupts_at_the_switch_split_the_fleet_not_once(first: int):
    """Whatever arrives late on whichever host: all serve the same afterwards, and the message says what."""
    for number in range(first, first + 25):
        dice = random.Random(number)
        late = Fault(
            "late switch", 0, "smoke", 0, dice.choice(("web1", "web2", "worker1")), dice.uniform(0, 1)
        )
        interrupt = Fault("interrupt", 0, "switch", dice.uniform(0, 0.15), "web1", 0)
        play(f"interrupt/{number}", Story(Plan(), (("release", App()),), (late, interrupt)))


def test_a_seed_replays_everything():
    assert play(7).story == play(7).story


def test_without_faults_all_ends_well():
    world = play("no faults", Story(Plan(), (("release", App()), ("rollback", App())), ()))
    assert world.store.head.live is not None
    assert World.current is world

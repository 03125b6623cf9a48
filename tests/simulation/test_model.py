"""The model of a host says and refuses what the agent itself says and refuses."""

import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from hosts.agent.signature import ENV, RELEASE, env_digest, env_statement, statement
from slipway.fleet.process import Completed
from slipway.fleet.replies import Status
from slipway.release.protocol import view
from tests.simulation.hosts import App
from tests.simulation.model import Failed, ModelHost, Refused
from tests.simulation.patches import simulated
from tests.simulation.world import Manifest, Plan, World

COMMANDS = ("stage", "boot", "smoke", "switch", "stop", "retire")
STEPS = 40


@pytest.fixture(autouse=True)
def simulation() -> Iterator[None]:
    with simulated():
        yield


class Both:
    """The agent on a simulated host, and its model."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.host, self.step = world, world.hosts[name], 0
        self.model = ModelHost(is_web="web" in self.host.roles, broken=frozenset({3}))
        self.staging: dict[str, Any] = {"config": "c", "env": {}}
        world.store.builds[3], world.apps["b3"] = "b3", App(boots=False, works=False)

    def ask(self, command: str, **request: object) -> dict[str, Any]:
        """The agent's answer."""
        answers: list[Completed] = []
        self.host.run_agent(command, json.dumps(request).encode(), answers.append)
        self.world.kernel.run(self.world.kernel.now + 100, lambda: bool(answers))
        return json.loads(answers[0].stdout)

    def agree(self) -> None:
        said = view(Status.model_validate(self.ask("status")))
        model = view(self.model.status())
        assert (said.serves, said.goes_to) == (model.serves, model.goes_to)
        slots = sorted((slot.release, slot.state) for slot in said.slots)
        assert slots == sorted((slot.release, slot.state) for slot in model.slots)

    def do(self, command: str, release: int, *, back: bool, is_late: bool) -> str:
        """The same on both; returns the code of the refusal, or nothing."""
        self.step += 1
        order = (1, self.step - 1 if is_late else self.step)
        build, decided = f"b{release}", {"record": release, "fence": 1, "floor": 0}
        content = statement(stack="sim", release=release, build=build, **decided)
        signed = {"signer": "operator", "signature": f"{RELEASE} {hashlib.sha256(content).hexdigest()}"}
        manifest = Manifest(build, Plan()).model_dump()
        staging = {"build": build, "manifest": manifest, "ticket": {**decided, **signed}, **self.staging}
        staging["env_ticket"] = _env_ticket(release, build, manifest["processes"])
        asked: dict[str, Any] = {"steps": [{}], "values": {}, "back": back}
        more = staging if command == "stage" else asked
        if command == "retire":
            answer = self.ask(command, fence=1, step=order[1], now=True)
        else:
            answer = self.ask(command, fence=1, step=order[1], release=release, **more)
        code = "" if answer["ok"] else str(answer["error"]["code"])
        try:
            model = self.model.fenced(order)
            self.model = model
            self.model = model.retire() if command == "retire" else model.do(command, release, back=back)
            expected = ""
        except Failed as failed:
            self.model, expected = failed.host, failed.code
        except Refused as refused:
            expected = refused.code
        assert code == expected, (command, release, answer)
        return code


def _env_ticket(release: int, build: str, processes: dict[str, Any]) -> dict[str, Any]:
    digests = {scope: env_digest(scope, "", {}) for scope in processes}
    content = env_statement(
        stack="sim", release=release, build=build, fence=1, config="c", site="app.test", secret_names=[],
        digests=digests,
    )  # fmt: skip
    signature = f"{ENV} {hashlib.sha256(content).hexdigest()}"
    return {"digests": digests, "salts": {}, "signer": "operator", "signature": signature}


@pytest.mark.parametrize("name", ["web1", "worker1"])
@pytest.mark.parametrize("seed", range(8))
def test_any_order_of_commands_leaves_agent_and_model_alike(name: str, seed: int):
    dice = random.Random(f"{seed}/{name}/model")
    codes: set[str] = set()
    with World(f"{seed}/{name}/model") as world:
        world.timers = False
        both = Both(world, name)
        for _ in range(STEPS):
            command = dice.choice(COMMANDS[:5])
            codes.add(both.do(command, dice.choice((1, 2, 3)), back=dice.random() < 0.3, is_late=False))
            both.agree()
    assert "" in codes

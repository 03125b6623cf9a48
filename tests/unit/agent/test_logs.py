import pytest

from hosts.agent import status
from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject
from tests.unit.agent.conftest import WEB, World


@pytest.fixture
def host(world: World) -> World:
    world.put("blue", "live", 1, active=True, web=WEB)
    state = world.state
    state.slots["blue"].cron = {"tick": {}}
    state.save()
    return world


def argv(world: World, **request: object) -> list[str]:
    return status.journalctl(world.state, JsonObject(request, "logs"))[4:]


def test_only_what_the_app_wrote_is_shown(host: World):
    assert argv(host, lines=5) == [
        "--lines=5",
        "--unit=slipway-*",
        "--identifier=cron-tick",
        "--identifier=web",
    ]
    assert argv(host, process="web") == ["--lines=100", "--unit=slipway-web@*", "--identifier=web"]
    assert argv(host, process="cron")[1:] == ["--unit=slipway-cron-*", "--identifier=cron-tick"]


def test_since_may_be_a_time_or_words_and_follow_goes_on(host: World):
    assert "--since=@12.500000" in argv(host, since=12.5)
    assert "--since=10 min ago" in argv(host, since="10 min ago")
    assert "--follow" in argv(host, follow=True)


@pytest.mark.parametrize("process", ["--rotate", "web@x", "a b", "../x"])
def test_a_process_cannot_smuggle_in_an_option(host: World, process: str):
    with pytest.raises(AgentError, match="is not the name of a process"):
        argv(host, process=process)

"""Stories of what once hurt: each failed on the code before the fix that it names, and ends well since."""

from tests.simulation.hosts import App
from tests.simulation.story import Fault, Story
from tests.simulation.world import Plan

_BAD = App(holds=False)
_LONG = App(job_seconds=1500)


def _story(act: str, *faults: Fault, app: App | None = None, plan: Plan | None = None) -> Story:
    return Story(plan or Plan(), ((act, app or App()), ("status", App())), faults)


STORIES = {
    "V1 a cold rollback is killed while it stages": _story(
        "cold rollback", Fault("kill", 0, "stage", 0.1, "web1", 0)
    ),
    "V1 a warm rollback is killed before its switch, and the hold ends": Story(
        Plan(hold_seconds=20),
        (("rollback", App()), ("wait", App()), ("status", App())),
        (Fault("kill", 0, "switch", 0.0, "web1", 0),),
    ),
    "V2 a release is interrupted at the switch, and one host gets the request late": _story(
        "release",
        Fault("late switch", 0, "smoke", 0.0, "web2", 0.15),
        Fault("interrupt", 0, "switch", 0.05, "web1", 0),
    ),
    "V3 the data services are away when a release goes back": _story(
        "release", Fault("data away", 0, "observe", 4.5, "web1", 10), app=_BAD
    ),
    "V6 a release is killed in a long handover of workers": _story(
        "release", Fault("kill", 0, "switch", 1.0, "web1", 0), app=_LONG
    ),
    "V7 both releases are equally down when one goes back": _story(
        "release", Fault("data away", 0, "observe", 3.0, "web1", 30), app=_BAD
    ),
    "V8 a web host cannot be reached when a release goes back": _story(
        "release", Fault("cut off", 0, "observe", 4.9, "web2", 30), app=_BAD
    ),
    "a release begins while the workers of the one before still finish their jobs": _story(
        "cold rollback", app=_LONG, plan=Plan(mailer=True)
    ),
}

SEEDS = {
    37: "a release began while workers of the one before it finished their jobs: busy",
    76: "the timer that retires slots had taken over a handover, and could not be interrupted",
    87: "a request that came twice interrupted itself",
    220: "a promotion without its event was taken for an unfinished release",
    233: "a message said that all serve a release although one host had not answered",
    271: "a message said so although a host still finished jobs of the release before",
    282: "an interrupted rollback left the record of the release that it had stopped open",
    3501: "an interrupted boot waited for the jobs of the workers that it stopped",
}
"""What seeds found beyond the stories above."""

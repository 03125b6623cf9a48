"""The profile as locust knows it: so many users for as long as the profile takes."""

from __future__ import annotations

from math import isinf

from locust import LoadTestShape

from slipway.load.parts import processes_of
from slipway.load.run import LoadRun

__all__ = ["ProfileShape"]


class ProfileShape(LoadTestShape):
    """All users at once, most of whom wait, until the profile is over; then locust lets visits finish."""

    abstract = True  # not to be found in locustfiles: the plugin makes the one there is

    def __init__(self, run: LoadRun) -> None:
        super().__init__()
        self._run = run

    def tick(self) -> tuple[int, float] | None:
        """Users and how many are spawned a second; None ends the run."""
        run = self._run
        if isinf(run.zero):
            run.staff(processes_of(self.runner))
        if self.get_run_time() > run.lead + run.profile.seconds:
            return None
        return run.crew.size, float(run.crew.size)

"""Programs and pages that use the API with an account."""

import random

from slipway.traffic import App, HttpUser, sign_in_steps, signed_in_steps


class Api(HttpUser):
    """A user with an account: reads, and now and then adds something and deletes it again."""

    weight = 1
    writes_one_in = 10

    @classmethod
    def suits(cls, app: App) -> bool:
        """What it does is what the smoke test does after signing in."""
        return bool(sign_in_steps(app) and signed_in_steps(app))

    def visit(self) -> None:
        """The reading steps each time; all of them, in order, one time in ten."""
        known = self.known()
        writes = random.randrange(self.writes_one_in) == 0  # noqa: S311 - no secret
        for step in signed_in_steps(self.target.app):
            if writes or step.request.startswith(("GET ", "HEAD ")):
                self.take(step, known)

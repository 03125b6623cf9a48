"""By what right Cloudflare is asked: a token in the environment."""

from __future__ import annotations

import pulumi_cloudflare as cloudflare


def cloudflare_provider() -> cloudflare.Provider:
    """The one provider of all Cloudflare parts. It takes `CLOUDFLARE_API_TOKEN` from the environment.

    Explicit and without arguments: a token given here would be in Pulumi's state.
    """
    return cloudflare.Provider("cloudflare")

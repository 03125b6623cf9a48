"""`python -m infra.policies --stack prod`: the same as `slipway infra check`."""

from __future__ import annotations

import sys

from slipway.cli.entry import main

if __name__ == "__main__":
    sys.argv[1:] = ["infra", "check", *sys.argv[1:]]
    main()

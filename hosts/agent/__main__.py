"""`python -m agent <command>`, as `slipway-agent <command>`."""

from __future__ import annotations

import sys

from .main import main

sys.exit(main())

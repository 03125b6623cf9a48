"""The host agent: carries out the pipeline's commands on one host, one at a time.

Python standard library only (3.11 of Debian 12, 3.13 of Debian 13). The request is one JSON object on stdin,
the answer one on the last line of stdout; see docs/agent.md. A command's module is imported only when the
command runs, because a switch must start within milliseconds.
"""

from __future__ import annotations

PROTOCOL = 1
VERSION = "0.1.0"

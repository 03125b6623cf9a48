"""The host agent: what the pipeline asks of one host, one command at a time.

Python standard library only (3.11 of Debian 12, 3.13 of Debian 13). One JSON object on stdin, one on
stdout's last line; see docs/agent.md. Modules are imported only when their command runs: a switch must start
in milliseconds.
"""

from __future__ import annotations

PROTOCOL = 1
VERSION = "0.1.0"

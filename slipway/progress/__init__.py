"""Progress of long work: what a command tells a person while it runs.

`Progress` is what the rest of the kit speaks to. `live.Live` redraws a terminal, `lines.Lines` prints one
line per fact (CI logs, pipes, `--json` on standard error), `Silent` says nothing (tests).
"""

from slipway.progress.protocol import Progress, Silent, for_stream

__all__ = ["Progress", "Silent", "for_stream"]

"""The meter: steady traffic at a live site, and an account of every request and socket.

It answers one question: what did users lose while something happened to the stack?
"""

from slipway.traffic.meter.command import run
from slipway.traffic.meter.measure import measure
from slipway.traffic.meter.report import Report

__all__ = ["Report", "measure", "run"]

"""The meter: steady traffic at a live site, and the truth about every request and socket.

HTTP arrivals follow an open model: each has an intended time, and its latency counts from there, so a frozen
server cannot hide by slowing the generator down (coordinated omission). aiohttp was chosen by measurement:
at 300 requests/s and 100 echoing sockets over TLS it needs 15 % of a core (httpx 46 %, niquests 39 %).
"""

from slipway.meter.command import run
from slipway.meter.report import Report
from slipway.meter.target import Target, target_of
from slipway.meter.traffic import measure

__all__ = ["Report", "Target", "measure", "run", "target_of"]

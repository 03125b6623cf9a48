"""The meter: steady traffic at a live site, and the truth about every request and socket.

HTTP arrivals follow an open model: each has an intended time, and its latency counts from there, so a frozen
server cannot hide by slowing the generator down (coordinated omission). aiohttp was chosen by measurement:
at 300 requests/s and 100 echoing sockets over TLS it needs 15 % of a core (httpx 46 %, niquests 39 %).
"""

from slipway.traffic.meter.command import run
from slipway.traffic.meter.measure import measure
from slipway.traffic.meter.report import Report
from slipway.traffic.target import Target, target_of

__all__ = ["Report", "Target", "measure", "run", "target_of"]

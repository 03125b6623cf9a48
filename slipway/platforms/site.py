"""The site as a client sees it: does it answer over TLS, and how long is its certificate valid?"""

import socket
import ssl
import time
from urllib.parse import urlsplit

from slipway.settings import Outputs

WARN_DAYS = 14
"""Fewer days left are worth a warning (BunShip's and our own alarm, I10)."""
CONNECT_SECONDS = 5
RETRY_SECONDS = 0.5
_DAY_SECONDS = 86_400


def site_problem(outputs: Outputs, *, seconds: float = 0) -> str:
    """Why the site cannot be used over TLS from this machine, after trying for `seconds`; empty if it can."""
    ends = time.monotonic() + seconds
    while True:
        try:
            days_left(outputs)
        except ssl.SSLCertVerificationError as failure:
            problem = f"the certificate of {outputs.url} is not valid: {failure.verify_message}"
        except OSError as failure:
            problem = f"{urlsplit(outputs.url).hostname} cannot be reached from here: {failure}"
        else:
            return ""
        if time.monotonic() >= ends:
            return problem
        time.sleep(RETRY_SECONDS)


def days_left(outputs: Outputs) -> float | None:
    """Days until the certificate ends, as a client sees it; None for a site without TLS.

    Raises ssl.SSLCertVerificationError for one that is not valid, OSError if the site cannot be reached.
    """
    url = urlsplit(outputs.url)
    if url.scheme != "https" or url.hostname is None:
        return None
    host, _, port = outputs.connect.rpartition(":")
    address = (host or url.hostname, int(port or url.port or 443))
    context = ssl.create_default_context(cafile=outputs.ca_file or None)
    with (
        socket.create_connection(address, timeout=CONNECT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=url.hostname) as secured,
    ):
        ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    return (ends - time.time()) / _DAY_SECONDS

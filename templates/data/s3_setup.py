#!/usr/bin/python3 -I
"""Creates buckets with their policies and CORS rules, through the S3 API.

Standard input: {endpoint, region, ca, access_key, secret_key, buckets: [{name, policy, cors}]}.
May be repeated.
"""

import base64
import hashlib
import http.client
import json
import ssl
import sys
import time
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

sys.path.insert(0, "/usr/local/lib/slipway")

from agent.sigv4 import Credentials, Signed

PATIENCE = 30
CORS = """<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule>\
<AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod>\
<AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod><AllowedHeader>*</AllowedHeader>\
<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>"""


class S3:
    """Signed requests to one endpoint."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.parts = urlsplit(wanted["endpoint"])
        self.context = ssl.create_default_context(cafile=wanted["ca"])

    def request(self, method, path, body=b"", allowed=(200, 204)):
        """The status; one that is not allowed ends the program with the server's answer."""
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        request = Signed("s3", self.wanted["region"], method, path, body, {"content-md5": md5})
        who = Credentials(self.wanted["access_key"], self.wanted["secret_key"])
        connection = http.client.HTTPSConnection(self.parts.netloc, timeout=15, context=self.context)
        connection.request(method, path, body, request.sign(who, self.parts.netloc))
        answer = connection.getresponse()
        text = answer.read(2000).decode(errors="replace")
        connection.close()
        if answer.status not in allowed:
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return answer.status


def wait_until_up(s3):
    """The server was started a moment ago."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            s3.request("GET", "/")
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"no S3 at {s3.wanted['endpoint']} after {PATIENCE} s: {error}")
            time.sleep(0.2)
        else:
            return


def main():
    """Create what is missing; set what may have changed."""
    wanted = json.load(sys.stdin)
    s3 = S3(wanted)
    wait_until_up(s3)
    for bucket in wanted["buckets"]:
        path = f"/{bucket['name']}"
        if s3.request("HEAD", path, allowed=(200, 404)) == 404:
            s3.request("PUT", path)
        s3.request("PUT", f"{path}?policy=", json.dumps(bucket["policy"]).encode())
        if bucket["cors"]:
            s3.request("PUT", f"{path}?cors=", CORS.format(origin=escape(bucket["cors"])).encode())


main()

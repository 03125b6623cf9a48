#!/usr/bin/python3 -I
"""Makes buckets with their policies and CORS rules, over S3's own API.

Standard input: {endpoint, region, ca, access_key, secret_key, buckets: [{name, policy, cors}]}.
May be repeated.
"""

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import sys
import time
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

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

    def request(self, method, path, query="", body=b"", allowed=(200, 204)):
        """The status; anything that is not allowed ends the program with the server's own words."""
        connection = http.client.HTTPSConnection(self.parts.netloc, timeout=15, context=self.context)
        connection.request(
            method, f"{path}?{query}" if query else path, body, self.headers(method, path, query, body)
        )
        answer = connection.getresponse()
        text = answer.read(2000).decode(errors="replace")
        connection.close()
        if answer.status not in allowed:
            sys.exit(f"{method} {path}?{query}: {answer.status} {text}")
        return answer.status

    def headers(self, method, path, query, body):
        """AWS Signature Version 4."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{stamp[:8]}/{self.wanted['region']}/s3/aws4_request"
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
            "host": self.parts.netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": stamp,
        }
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        asked = f"{query}=" if query else ""
        request = hashlib.sha256(
            f"{method}\n{path}\n{asked}\n{lines}\n{names}\n{digest}".encode()
        ).hexdigest()
        key = f"AWS4{self.wanted['secret_key']}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        credential = f"Credential={self.wanted['access_key']}/{scope}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 {credential},SignedHeaders={names},Signature={signature}"
        )
        return headers


def wait_until_up(s3):
    """It was started a moment ago."""
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
    """Make what is missing; set what may have changed."""
    wanted = json.load(sys.stdin)
    s3 = S3(wanted)
    wait_until_up(s3)
    for bucket in wanted["buckets"]:
        path = f"/{bucket['name']}"
        if s3.request("HEAD", path, allowed=(200, 404)) == 404:
            s3.request("PUT", path)
        s3.request("PUT", path, "policy", json.dumps(bucket["policy"]).encode())
        if bucket["cors"]:
            s3.request("PUT", path, "cors", CORS.format(origin=escape(bucket["cors"])).encode())


main()

"""What is tried from outside, seen red when the edge breaks it: TLS, headers, origins, cookies, authority."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, done, edge, rewritten, together, uploads, with_secret
from tests.fleet.checks.certificates import certificate
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

TRACE = "TypeError: x is undefined at handler (/srv/slipway/src/web.ts:12:7)"
POLICY = (
    "default-src 'none'; script-src {scripts}; base-uri {base}; object-src 'none'; frame-ancestors {frame}"
)
FULL = {"scripts": "'self'", "base": "'none'", "frame": "'none'"}


def header(name: str, value: str, condition: str = "") -> str:
    return f'http-after-response set-header {name} "{value}"' + (f" if {condition}" if condition else "")


def without(name: str, condition: str = "") -> str:
    return f"http-after-response del-header {name}" + (f" if {condition}" if condition else "")


def policy(**changed: str) -> str:
    return header("Content-Security-Policy", POLICY.format(**{**FULL, **changed}))


def cookie(attribute: str) -> str:
    return rf"http-after-response replace-header Set-Cookie '^(.*);\s*{attribute}[^;]*(.*)$' '\1\2'"


def weak(openssl: str) -> str:
    """OpenSSL's settings with everything allowed."""
    return (
        openssl.replace("[openssl_init]\n", "[openssl_init]\nssl_conf = weak\n")
        + "\n[weak]\nsystem_default = weakest\n[weakest]\nCipherString = DEFAULT@SECLEVEL=0\n"
    )


ME, ADMIN = "{ path /api/me }", "{ path /api/admin/audit }"
SIGNED = "{ req.hdr(authorization) -m found }"

TRANSPORT = (
    Case(
        "no HSTS",
        edge(without("Strict-Transport-Security")),
        red=("X1/hsts-covers-a-year-and-subdomains",),
        ask=("X1",),
    ),
    Case(
        "HSTS for an hour",
        edge(header("Strict-Transport-Security", "max-age=3600; includeSubDomains")),
        red=("X1/hsts-covers-a-year-and-subdomains",),
        says="3600",
    ),
    Case(
        "a certificate of another authority",
        certificate(own_authority=True),
        red=("X1/the-certificate-is-trusted-and-for-this-name",),
        says="certificate",
        alone=True,
    ),
    Case(
        "a certificate for another name",
        certificate(name="other.example"),
        red=("X1/the-certificate-is-trusted-and-for-this-name",),
        says="ostname",
        alone=True,
    ),
    Case(
        "a certificate that ends in five days",
        certificate(days=5),
        red=("X1/the-certificate-is-good-for-two-weeks-and-more",),
        ask=("X1",),
        says="ends in",
    ),
    Case(
        "a certificate with a short key",
        together(
            lambda site: rewritten(site, "edge", "/etc/ssl/openssl.cnf", weak), certificate(rsa_bits=1024)
        ),
        red=("X1/the-certificates-key-is-long-enough",),
        says="1024",
        alone=True,
    ),
    Case(
        "TLS 1.0",
        edge(
            "ssl-default-bind-ciphers ALL:@SECLEVEL=0",
            swap=(
                "ssl-default-bind-options ssl-min-ver TLSv1.2",
                "ssl-default-bind-options ssl-min-ver TLSv1.0",
            ),
            drop="ssl-default-bind-ciphers ",
            at="    # Mozilla's",
        ),
        red=("X1/old-tls-is-refused",),
        ask=("X1/old-tls", "X1/tls-1-3", "X1/hsts"),
        says="TLSv1",
    ),
    Case(
        "ciphers that encrypt nothing",
        edge(
            "ssl-default-bind-ciphers ALL:eNULL:@SECLEVEL=0",
            drop="ssl-default-bind-ciphers ",
            at="    # Mozilla's",
        ),
        red=("X1/weak-ciphers-are-refused",),
        ask=("X1",),
    ),
    Case(
        "no TLS 1.3",
        edge(swap=("ssl-min-ver TLSv1.2 no-tls", "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 no-tls")),
        red=("X1/tls-1-3-is-offered",),
        ask=("X1",),
    ),
    Case(
        "plain HTTP is served",
        edge(
            "http-request return status 200 content-type text/plain string hello",
            at="    http-request redirect code 308",
        ),
        red=("X1/plain-http-is-sent-on-to-https",),
        ask=("X1",),
    ),
    Case(
        "a redirect that believes Host",
        edge(
            "http-request redirect code 308 location https://%[req.hdr(host)]%[pathq]",
            at="    http-request redirect code 308",
        ),
        red=("X1/the-redirect-to-https-leads-nowhere-else",),
        ask=("X1",),
    ),
)

HEADERS = (
    Case(
        "no nosniff", edge(without("X-Content-Type-Options")), red=("X2/types-are-not-guessed",), ask=("X2",)
    ),
    Case(
        "framing allowed",
        edge(header("X-Frame-Options", "SAMEORIGIN")),
        red=("X2/framing-is-denied",),
        ask=("X2",),
    ),
    Case(
        "a policy without frame-ancestors",
        edge(policy(frame="*")),
        red=("X2/the-csp-denies-framing-too",),
        ask=("X2",),
    ),
    Case(
        "the XSS auditor on",
        edge(header("X-XSS-Protection", "1; mode=block")),
        red=("X2/the-xss-auditor-is-off",),
        ask=("X2",),
    ),
    Case(
        "inline scripts allowed",
        edge(policy(scripts="'self' 'unsafe-inline'")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        ask=("X2",),
        says="unsafe-inline",
    ),
    Case("any base allowed", edge(policy(base="*")), red=("X2/the-csp-closes-the-side-doors",), ask=("X2",)),
    Case(
        "whole referrers",
        edge(header("Referrer-Policy", "unsafe-url")),
        red=("X2/referrers-are-kept-short",),
        ask=("X2",),
    ),
    Case(
        "a version told",
        edge(header("Server", "nginx/1.18.0")),
        red=("X2/no-header-tells-a-version",),
        ask=("X2",),
    ),
    Case(
        "answers of the API kept by caches",
        edge(header("Cache-Control", "public, max-age=600", "{ var(txn.path) -m beg /api/ }")),
        red=("X2/answers-of-the-api-are-not-kept",),
        ask=("X2",),
    ),
    Case("no request id", edge(without("X-Request-Id")), red=("X13/every-answer-has-a-request-id",)),
    Case(
        "a request id taken over as it comes",
        edge(drop="set-header X-Request-Id %.uuid", at="    acl named_well"),
        red=("X13/a-request-id-from-outside-cannot-hold-anything", "X13/every-answer-has-a-request-id"),
        says="500 letters",
    ),
    Case(
        "nothing to keep a static file by",
        edge(without("ETag"), without("Cache-Control"), without("Last-Modified")),
        red=("I13/static-files-can-be-kept",),
    ),
)

ECHOED = "{ var(txn.origin) -m found }"
ORIGINS = (
    Case(
        "every origin echoed",
        edge(
            header("Access-Control-Allow-Origin", "%[var(txn.origin)]", ECHOED),
            header("Vary", "Origin"),
        ),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        ask=("X3",),
    ),
    Case(
        "an origin that only begins like ours",
        edge(
            header(
                "Access-Control-Allow-Origin",
                "%[var(txn.origin)]",
                "{ var(txn.origin) -m sub localhost.evil.example }",
            )
        ),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        ask=("X3",),
        says="localhost.evil.example",
    ),
    Case(
        "a wildcard with credentials",
        edge(
            header("Access-Control-Allow-Origin", "*"),
            header("Access-Control-Allow-Credentials", "true"),
            header("Vary", "Origin"),
        ),
        red=(
            "X3/no-wildcard-goes-with-credentials",
            "X3/foreign-origins-may-not-read",
            "X3/foreign-origins-get-no-preflight",
        ),
        ask=("X3",),
    ),
    Case(
        "no Vary", edge(without("Vary")), red=("X3/caches-are-told-that-answers-vary-by-origin",), ask=("X3",)
    ),
    Case(
        "a bucket for every origin",
        uploads(header("Access-Control-Allow-Origin", "*")),
        red=("X3/the-uploads-bucket-is-for-the-frontend-only",),
        ask=("X3",),
    ),
)

COOKIES = (
    Case(
        "cookies for scripts",
        edge(cookie("HttpOnly")),
        red=("X4/session-cookies-are-hidden-from-scripts", "X4/the-sticky-cookie-is-secure"),
        ask=("X4",),
    ),
    Case(
        "cookies in the clear",
        edge(cookie("Secure")),
        red=("X4/session-cookies-travel-by-tls-only", "X4/the-sticky-cookie-is-secure"),
        ask=("X4",),
    ),
    Case(
        "cookies of every site",
        edge(cookie("SameSite")),
        red=("X4/session-cookies-stay-on-the-site",),
        ask=("X4",),
    ),
    Case(
        "cookies for the whole domain",
        edge(r"http-after-response replace-header Set-Cookie '^(.*)$' '\1; Domain=example.com'"),
        red=("X4/session-cookies-are-for-this-host-alone",),
        ask=("X4",),
    ),
    Case(
        "a foreign page reads with the cookie",
        edge(
            answered(
                200,
                "{}",
                f"{ME} {{ req.hdr(cookie) -m found }}",
                "application/json",
                "Access-Control-Allow-Origin: https://evil.example",
            )
        ),
        red=("X6/another-sites-page-cannot-use-the-cookie",),
    ),
)

AUTHORITY = (
    Case(
        "strangers let in",
        edge(answered(200, "{}", f"{ME} !{SIGNED}")),
        red=("X6/strangers-are-refused", "X6/claims-in-query-and-headers-open-nothing"),
        ask=("X6",),
    ),
    Case(
        "users kept out",
        edge(answered(401, "{}", f"{ME} {SIGNED}")),
        red=("X6/users-are-let-in",),
        ask=("X6",),
    ),
    Case(
        "users are admins",
        edge(answered(200, "{}", f"{ADMIN} {SIGNED}")),
        red=("X6/users-are-no-admins",),
        ask=("X6",),
    ),
    Case(
        "any token is believed",
        edge(answered(200, "{}", f"{ME} {SIGNED}")),
        red=("X6/forged-tokens-are-refused",),
        ask=("X6",),
    ),
    Case(
        "a role in a header is believed",
        edge(answered(200, "{}", f"{ADMIN} {{ req.hdr(x-user-role) -m str admin }}")),
        red=("X6/claims-in-query-and-headers-open-nothing",),
        ask=("X6",),
    ),
    Case(
        "a cron route for everybody",
        edge(answered(200, "{}", "{ path /cron/outbox } { method POST }")),
        red=("X10/cron-routes-refuse-without-the-bearer", "X10/cron-routes-refuse-a-users-token"),
        ask=("X10",),
    ),
    Case(
        "a cron route for every user",
        edge(answered(200, "{}", "{ path /cron/outbox } { req.hdr(authorization) -m beg 'Bearer ey' }")),
        red=("X10/cron-routes-refuse-a-users-token",),
        ask=("X10",),
    ),
)

HIDDEN = (
    Case(
        "docs are served",
        edge(answered(200, "docs", "{ path /docs }", "text/html")),
        red=("X5/docs-and-debugging-are-not-there",),
        says="/docs answers 200",
    ),
    Case(
        "a repository is served",
        edge(answered(200, "ref: refs/heads/main", "{ path /.git/HEAD }", "text/plain")),
        red=("X5/docs-and-debugging-are-not-there",),
        says="/.git/HEAD",
    ),
    Case(
        "readiness is public",
        edge(answered(200, "{}", "{ path /ready }")),
        red=("X11/private-paths-are-private", "X11/private-paths-are-private-however-they-are-written"),
        says="/ready",
    ),
    Case(
        "metrics are public, written another way",
        edge(answered(200, "up 1", "{ path_beg //metrics }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        ask=("X11/private",),
        says="//metrics",
    ),
    Case(
        "files of the host are served",
        edge(answered(200, "root:x:0:0:root", "{ path_sub etc/passwd }", "text/plain")),
        red=("X5/paths-lead-out-of-no-folder",),
    ),
    Case(
        "a secret in a script",
        with_secret(
            lambda value: edge(answered(200, f"const key = {value}", "{ path_end .js }", "text/javascript"))
        ),
        red=("P3/no-secret-reaches-browsers",),
        says="WEBHOOK_SECRET",
    ),
    Case(
        "source maps are served",
        edge(answered(200, "{}", "{ path_end .map }")),
        red=("P10/source-maps-are-not-served",),
        ask=("P10",),
    ),
    Case(
        "a stack trace for a malformed request",
        edge(answered(400, TRACE, "{ path /api/auth/sign-in } !{ req.body -m sub email }", "text/plain")),
        red=("P10/a-malformed-request-is-told-nothing-of-the-inside",),
    ),
    Case(
        "a malformed request breaks it",
        edge(answered(500, "oops", "{ path /api/auth/sign-in } !{ req.body -m sub email }", "text/plain")),
        red=("P10/a-malformed-request-is-told-nothing-of-the-inside",),
        says="500",
    ),
    Case(
        "a stack trace for an unknown page",
        edge(answered(404, TRACE, "{ path /no-such-page }", "text/plain")),
        red=("P10/an-unknown-page-is-told-nothing-of-the-inside",),
    ),
    Case(
        "health without a version",
        edge(answered(200, '{"status":"ok","timestamp":1,"uptime":1}', "{ path /health }")),
        red=("X11/health-tells-status-time-and-version",),
        ask=("X11/health",),
        says="version",
    ),
    Case(
        "health tells an address",
        edge(
            answered(
                200,
                '{"status":"ok","timestamp":1,"uptime":110.5,"version":1,"db":"10.1.2.3"}',
                "{ path /health }",
            )
        ),
        red=("X11/health-tells-no-more-than-that",),
        ask=("X11/health",),
        says="10.1.2.3",
    ),
    Case(
        "health tells too much",
        edge(
            answered(
                200,
                '{"status":"ok","timestamp":1,"uptime":1,"version":1,"db":"postgres"}',
                "{ path /health }",
            )
        ),
        red=("X11/health-tells-no-more-than-that",),
        ask=("X11/health",),
        says="postgres",
    ),
)


@pytest.mark.parametrize("case", [*TRANSPORT, *HEADERS, *ORIGINS, *COOKIES, *AUTHORITY, *HIDDEN], ids=str)
def test_it_is_told(whole: Site, case: Case) -> None:
    prove(whole, case)


def test_a_slow_health_path_is_told(whole: Site) -> None:
    slow = 'core.register_action("slow", {"http-req"}, function(txn) core.msleep(300) end)'
    case = Case(
        "slow health",
        together(
            done("edge", f"echo '{slow}' > /etc/haproxy/slow.lua", "rm /etc/haproxy/slow.lua"),
            edge(
                "http-request lua.slow if { path /health }",
                swap=(
                    "    lua-load-per-thread /etc/haproxy/body",
                    "    lua-load-per-thread /etc/haproxy/slow.lua\n"
                    "    lua-load-per-thread /etc/haproxy/body",
                ),
            ),
        ),
        red=("X11/health-is-cheap",),
    )
    prove(whole, case)

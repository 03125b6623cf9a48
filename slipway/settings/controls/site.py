"""Controls on the path of a request: Cloudflare, firewall, load balancer, listeners, targets."""

from slipway.settings.controls import tokens as on
from slipway.settings.controls.control import (
    AtLeast,
    AtMost,
    Control,
    Entries,
    Hsts,
    Is,
    OneOf,
    Section,
)

READY_PATH = "/-/slipway/ready"
"""HAProxy on web hosts answers it: 200 once the live release is ready, or while nothing was ever released."""
TLS_POLICIES = (
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-PQ-2025-09",
)
"""AWS's predefined policies with TLS 1.2, forward secrecy and nothing weaker."""
HTTPS = ("protocol", Is("HTTPS"))

LOAD_BALANCER = Section("Load balancer", ("infra/aws/load_balancer.py",), (
    Control(
        "lb-drops-invalid-headers", ("ELB.4",), "medium",
        "The load balancer drops headers with invalid names.",
        on=(on.LOAD_BALANCER,), path="dropInvalidHeaderFields", holds=Is(value=True),
    ),
    Control(
        "lb-strict-desync", ("ELB.12",), "medium",
        "Requests that the load balancer and a host could parse differently are rejected.",
        on=(on.LOAD_BALANCER,), path="desyncMitigationMode", holds=OneOf(("strictest", "defensive")),
    ),
    Control(
        "lb-appends-forwarded-for", ("X8", "I2"), "high",
        "The load balancer appends the client's address to X-Forwarded-For.",
        on=(on.LOAD_BALANCER,), path="xffHeaderProcessingMode", holds=Is("append"),
    ),
    Control(
        "lb-outlasts-heartbeats", ("I2",), "medium",
        "A silent connection stays open for at least two heartbeats.",
        on=(on.LOAD_BALANCER,), path="idleTimeout", holds=AtLeast(60), setting="load_balancer.idle_seconds",
        remedy="set load_balancer.idle_seconds to 60 or more",
    ),
    Control(
        "lb-deletion-protection", ("ELB.6",), "medium", "AWS refuses to delete production's load balancer.",
        on=(on.LOAD_BALANCER,), path="enableDeletionProtection", holds=Is(value=True), production=True,
        setting="load_balancer.deletion_protection", demands=Is(value=True),
        risk="AWS would allow the load balancer to be deleted",
    ),
    Control(
        "lb-access-logs", ("ELB.5",), "medium", "Every request is logged.",
        on=(on.LOAD_BALANCER,), path="accessLogs.enabled", holds=Is(value=True),
    ),
    Control(
        "lb-connection-logs", ("ELB.5",), "low", "Every TLS connection is logged.",
        on=(on.LOAD_BALANCER,), path="connectionLogs.enabled", holds=Is(value=True),
    ),
    Control(
        "lb-preserves-host", ("I2",), "low", "Hosts see the host name that the client requested.",
        on=(on.LOAD_BALANCER,), path="preserveHostHeader", holds=Is(value=True),
    ),
    Control(
        "lb-in-two-zones", ("ELB.13", "I1"), "medium", "The load balancer is in at least two zones.",
        on=(on.LOAD_BALANCER,), path="subnets", holds=Entries(2), setting="network.zones",
    ),
    Control(
        "lb-behind-firewall", ("ELB.16", "X7"), "medium", "Production's load balancer has a web ACL.",
        on=(on.LOAD_BALANCER,), path="WebAclAssociation", production=True,
        setting="load_balancer.firewall", remedy="set load_balancer.firewall to true",
    ),
))  # fmt: skip

TARGETS = Section("Target group", ("infra/aws/load_balancer.py",), (
    Control(
        "target-group-sticky", ("I2",), "high",
        "The load balancer's own cookie brings a client back to its host.",
        on=(on.TARGET_GROUP,), path="stickiness.type", holds=Is("lb_cookie"),
    ),
    Control(
        "target-group-drains", ("S5",), "medium", "A leaving host has time to finish its requests.",
        on=(on.TARGET_GROUP,), path="deregistrationDelay", holds=AtLeast(30),
        setting="load_balancer.deregistration_seconds", demands=AtLeast(1),
        risk="every request and socket of a leaving host would be cut",
    ),
    Control(
        "target-group-asks-readiness", ("I3",), "high",
        "A host receives traffic once its live release reports that it is ready.",
        on=(on.TARGET_GROUP,), path="healthCheck.path", holds=Is(READY_PATH),
    ),
    Control(
        "target-group-asks-often", ("I3",), "medium", "Health is checked at least every 30 seconds.",
        on=(on.TARGET_GROUP,), path="healthCheck.interval", holds=AtMost(30),
        setting="load_balancer.health_seconds",
    ),
    Control(
        "target-group-wants-200", ("I3",), "medium", "Only status 200 counts as healthy.",
        on=(on.TARGET_GROUP,), path="healthCheck.matcher", holds=Is("200"),
    ),
    Control(
        "target-group-algorithm-fits", ("I1", "I2"), "medium",
        "least_outstanding_requests has no slow start, which AWS rejects, and balances across zones.",
        on=(on.TARGET_GROUP,), path="loadBalancingAlgorithmType, slowStart, cross-zone",
        setting="load_balancer.algorithm",
        remedy="slow_start needs round_robin; least_outstanding_requests needs cross-zone balancing",
    ),
))  # fmt: skip

LISTENERS = Section("Listeners and certificate", ("infra/aws/listeners.py", "infra/aws/domain.py"), (
    Control(
        "listener-tls-policy", ("ELB.17", "X1"), "high", "TLS 1.2 with forward secrecy is the minimum.",
        on=(on.LISTENER,), path="sslPolicy", holds=OneOf(TLS_POLICIES), when=HTTPS,
        setting="load_balancer.ssl_policy",
    ),
    Control(
        "listener-hsts", ("X1",), "medium",
        "Browsers use TLS only, for a year, on the domain and its subdomains (HSTS).",
        on=(on.LISTENER,), path="routingHttpResponseStrictTransportSecurityHeaderValue",
        holds=Hsts(31_536_000), when=HTTPS,
    ),
    Control(
        "listener-hides-server", ("X2",), "low", "Responses do not name the server software.",
        on=(on.LISTENER,), path="routingHttpResponseServerEnabled", holds=Is(value=False), when=HTTPS,
    ),
    Control(
        "listener-redirects-to-tls", ("ELB.1", "X1"), "high", "Plain HTTP is only redirected to https.",
        on=(on.LISTENER,), path="defaultActions",
        remedy="redirect port 80 to https with HTTP_301, and forward on the HTTPS listener only",
    ),
    Control(
        "listener-never-ignores-weights", ("S4",), "medium",
        "Changes of a listener's actions are never ignored.",
        on=(on.LISTENER,), path="ignore_changes",
        remedy="remove ignore_changes from listeners: it is broken for weights (pulumi-aws#5798)",
    ),
    Control(
        "listener-asks-for-cloudflares-certificate", ("I1", "X8"), "high",
        "Behind Cloudflare the listener verifies Cloudflare's client certificate against a TrustStore.",
        on=(on.LISTENER,), path="mutualAuthentication",
        remedy="set mutual_authentication to verify with a TrustStore of Cloudflare's origin-pull CA",
    ),
    Control(
        "certificate-by-dns", ("ACM.1", "I1"), "medium",
        "The certificate renews automatically, because it is validated by DNS.",
        on=(on.CERTIFICATE,), path="validationMethod", holds=Is("DNS"), when=("certificateBody", None),
    ),
))  # fmt: skip

FIREWALL = Section("Firewall", ("infra/aws/web_acl.py",), (
    Control(
        "firewall-limits-rates", ("WAF.10", "X7"), "medium",
        "The web ACL has AWS's managed rules and blocks addresses that send too many requests.",
        on=(on.WEB_ACL,), path="rules", setting="load_balancer.requests_per_5_minutes",
        remedy="give the web ACL AWS's managed rules and a rate-based rule that blocks",
    ),
))  # fmt: skip

CLOUDFLARE = Section("Cloudflare", ("infra/cloudflare/front.py", "infra/cloudflare/rulesets.py"), (
    Control(
        "zone-strict-tls", ("X1", "I1"), "high",
        "TLS is verified on both sides: browser to Cloudflare, and Cloudflare to the load balancer.",
        on=(on.ZONE_SETTING,), path="value",
        remedy="ssl strict, TLS 1.2 or later, https always, origin pulls signed",
    ),
    Control(
        "site-behind-cloudflare", ("I1", "I13"), "high",
        "No DNS record leads past Cloudflare to the load balancer.",
        on=(on.DNS_RECORD,), path="proxied",
        remedy="set proxied=True on the records that lead to the load balancer",
    ),
    Control(
        "edge-limits-rates", ("X7",), "medium", "Cloudflare blocks addresses that send too many requests.",
        on=(on.RULESET,), path="rules", remedy="block, with a period and a number of requests",
    ),
    Control(
        "token-scoped", ("I7", "I15"), "high",
        "A Cloudflare token gives access to one bucket or zone, not to the account.",
        on=(on.API_TOKEN, on.ACCOUNT_TOKEN), path="policies",
        remedy="name the bucket or zone in the token's policy",
    ),
))  # fmt: skip

SITE = (CLOUDFLARE, FIREWALL, LOAD_BALANCER, TARGETS, LISTENERS)

"""For every policy rule, stacks that keep it and stacks that break it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from infra.policies import World
from infra.policies.data import BLOCKS
from infra.policies.iam import GITHUB
from infra.policies.site import ZONE
from infra.recording import Graph, Resource
from slipway.settings.aws import Purpose
from slipway.settings.controls import CONTROLS, tokens as on
from slipway.settings.controls.control import Is

ABSENT = object()
"""In place of a value: the input is not set."""


@dataclass(frozen=True)
class Examples:
    """Of one rule."""

    passing: tuple[World, ...]
    failing: tuple[World, ...]


def put(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`inputs` with `value` at `path`; a key `0` makes a list of one."""
    key, _, rest = path.partition(".")
    inner: Any = value
    if rest:
        below = inputs.get(key)
        if rest.split(".")[0] == "0":
            after = rest.partition(".")[2]
            inner = [put({}, after, value) if after else value]
        else:
            inner = put(cast("Mapping[str, Any]", below) if isinstance(below, Mapping) else {}, rest, value)
    return {**inputs, key: inner}


def made(
    type_: str,
    name: str = "it",
    *,
    inputs: Mapping[str, Any] | None = None,
    links: Mapping[str, Resource] | None = None,
    **options: Any,
) -> Resource:
    """A resource. `links`: inputs that come from another resource's id."""
    given = dict(inputs or {})
    depends: dict[str, tuple[str, ...]] = {}
    for key, other in (links or {}).items():
        given.setdefault(key, f"{other.name}-id")
        depends[key] = (other.urn,)
    urn = f"urn:pulumi:example::board::{type_}::{name}"
    return Resource(type_, name, urn, given, property_depends_on=depends, **options)


def world(*resources: Resource, purpose: Purpose = "production", **of_graph: Any) -> World:
    """A stack of these resources."""
    return World(
        Graph("board", "example", tuple(resources), of_graph.pop("outputs", {}), **of_graph), purpose
    )


def examples(passing: Iterable[World], failing: Iterable[World]) -> Examples:
    return Examples(tuple(passing), tuple(failing))


_WHEN: dict[str, Any] = {"targetGroupArns": ["arn"], "engineVersion": "16"}


def values(id_: str, good: Any, *bad: Any) -> Examples:
    """Of a row with a predicate: the input is `good`, one of `bad`, or absent."""
    (row,) = (each for each in CONTROLS if each.id == id_)
    given: dict[str, Any] = {}
    if row.when and row.when[1] is not None:
        given[row.when[0]] = row.when[1].value if isinstance(row.when[1], Is) else _WHEN[row.when[0]]

    def one(value: Any) -> World:
        inputs = given if value is ABSENT else put(given, row.path, value)
        return world(made(row.on[0], inputs=inputs))

    missing = one(ABSENT)
    passing = [one(good), *([missing] if row.absent else [])]
    return examples(passing, [*map(one, bad), *([] if row.absent else [missing])])


VALUES: dict[str, tuple[Any, ...]] = {
    "provider-one-account": ('["123456789012"]', "[]"),
    "provider-default-tags": ('{"tags":{"slipway:stack":"prod"}}', "{}"),
    "trail-everywhere": (True, False),
    "trail-validated": (True, False),
    "logs-end": (30, 0),
    "alarms-tell": (["arn"], []),
    "alarms-mind-silence": ("notBreaching", "ignore"),
    "topic-encrypted": ("alias/aws/sns", ""),
    "mail-by-tls": ("REQUIRE", "OPTIONAL"),
    "budget-tells": ([{"threshold": 80}], []),
    "flow-log-of-all-traffic": ("ALL", "ACCEPT"),
    "subnet-gives-no-public-address": (False, True),
    "hosts-imdsv2": ("required", "optional"),
    "hosts-imds-one-hop": (1, 2),
    "hosts-no-key-pair": ("", "laptop"),
    "hosts-replaced-when-unhealthy": ("ELB", "EC2"),
    "hosts-in-two-zones": (["a", "b"], ["a"]),
    "hosts-refreshed-one-by-one": (100, 50),
    "lb-drops-invalid-headers": (True, False),
    "lb-strict-desync": ("strictest", "monitor"),
    "lb-appends-forwarded-for": ("append", "preserve"),
    "lb-outlasts-heartbeats": (120, 30),
    "lb-deletion-protection": (True, False),
    "lb-access-logs": (True, False),
    "lb-connection-logs": (True, False),
    "lb-preserves-host": (True, False),
    "lb-in-two-zones": (["a", "b"], ["a"]),
    "target-group-sticky": ("lb_cookie", "source_ip"),
    "target-group-drains": (60, 5),
    "target-group-asks-readiness": ("/-/slipway/ready", "/"),
    "target-group-asks-often": (10, 60),
    "target-group-wants-200": ("200", "200-499"),
    "certificate-by-dns": ("DNS", "EMAIL"),
    "listener-tls-policy": ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-2016-08"),
    "listener-hsts": (
        "max-age=31536000; includeSubDomains", "max-age=60", "max-age=60; includeSubDomains",
        "max-age=31536000",
    ),
    "listener-hides-server": (False, True),
    "database-encrypted": (True, False),
    "database-private": (False, True),
    "database-deletion-protection": (True, False),
    "database-final-snapshot": (False, True),
    "database-final-snapshot-named": ("board-prod-final", ""),
    "database-keeps-backups": (False, True),
    "database-backups": (7, 0),
    "database-week-of-backups": (14, 3),
    "database-rotates-master-password": (True, False),
    "database-insights": (True, False),
    "database-logs": (["postgresql", "upgrade"], []),
    "database-changes-wait": (False, True),
    "database-major-upgrades-on-purpose": (False, True),
    "database-metrics": (60, 0),
    "database-minor-upgrades": (True, False),
    "database-snapshots-tagged": (True, False),
    "database-ca": ("rds-ca-rsa2048-g1", "rds-ca-2019"),
    "database-in-two-zones": (True, False),
    "pooler-tls": (True, False),
    "redis-tls": (True, False),
    "redis-tls-required": ("required", "preferred"),
    "redis-encrypted-at-rest": (True, False),
    "redis-fails-over": (True, False),
    "redis-in-two-zones": (True, False),
    "redis-snapshots": (7, 0),
    "redis-final-snapshot": ("board-prod-final", ""),
    "redis-minor-upgrades": (True, False),
    "redis-seven": ("7.1", "6.2"),
    "redis-later": (False, True),
    "bucket-never-emptied": (False, True),
    "bucket-owner-enforced": ("BucketOwnerEnforced", "ObjectWriter"),
    "bucket-versioning-on": ("Enabled", "Suspended"),
    "key-rotates": (True, False),
    "key-recoverable": (30, 1),
    "secret-recoverable": (30, 0),
}  # fmt: skip
"""By rule with a predicate on one input: a value that keeps it, and values that break it."""


def _with(type_: str, **inputs: Any) -> World:
    return world(_BUCKET, made(type_, inputs=inputs, links={"bucket": _BUCKET}))


def _document(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _ingress(port: int | None, *others: Resource, **inputs: Any) -> World:
    group = made(on.SECURITY_GROUP, "edge")
    ports = {} if port is None else {"fromPort": port, "toPort": port}
    return world(
        group,
        made(on.LOAD_BALANCER, "lb", links={"securityGroups": group}),
        made(
            on.INGRESS_RULE, inputs={"ipProtocol": "tcp", **ports, **inputs}, links={"securityGroupId": group}
        ),
        *others,
    )


def _one(type_: str, **inputs: Any) -> World:
    return world(made(type_, inputs=inputs))


def _listener(*actions: dict[str, object]) -> World:
    return _one(on.LISTENER, port=80, protocol="HTTP", defaultActions=list(actions))


def _parameters(type_: str, *pairs: tuple[str, str]) -> World:
    return _one(type_, parameters=[{"name": name, "value": value} for name, value in pairs])


def _redis(ignored: tuple[str, ...] = ("authToken",), **inputs: object) -> World:
    return world(made(on.REDIS, inputs=inputs, ignore_changes=ignored))


def _policy(action: Any, resource: Any, **more: Any) -> World:
    given = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return _one(on.IAM_ROLE_POLICY, policy=json.dumps({"Statement": [given]}))


def _trust(principal: Any, condition: Any) -> World:
    given = {
        "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }  # fmt: skip
    return _one(on.IAM_ROLE, assumeRolePolicy=json.dumps({"Statement": [given]}))


def _setting(id_: str, value: str) -> World:
    return _one(on.ZONE_SETTING, settingId=id_, value=value)


def _token(type_: str, resources: str) -> World:
    return _one(type_, policies=[{"resources": f'{{"{resources}":"*"}}'}])


_BUCKET = made(on.BUCKET, "uploads")
_PROTECTED_BUCKET = made(on.BUCKET, protect=True)
_SHUT = dict.fromkeys(BLOCKS, True)
_TLS_ONLY = _document(
    Effect="Deny", Principal="*", Action="s3:*", Resource="*",
    Condition={"Bool": {"aws:SecureTransport": "false"}},
)  # fmt: skip
_PROVIDER = made(on.PROVIDER, "aws")
_VPC = made(on.VPC, "vpc")
_RECORD = made(on.DNS_RECORD, "site")
_LB = made(on.LOAD_BALANCER, "edge")
_MANAGED = {"name": "known", "statement": {"managedRuleGroupStatement": {"vendorName": "AWS"}}}
_RATE: dict[str, Any] = {
    "name": "rate",
    "action": {"block": {}},
    "statement": {"rateBasedStatement": {"limit": 3000}},
}
_LEAST: dict[str, Any] = {"loadBalancingAlgorithmType": "least_outstanding_requests"}
_TO_TLS: dict[str, object] = {
    "type": "redirect",
    "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
}
_HTTPS = {"port": 443, "protocol": "HTTPS"}
_MTLS = {"mode": "verify", "trustStoreArn": "arn"}
_LIMIT = {"action": "block", "ratelimit": {"period": 10, "requestsPerPeriod": 200}}
_POSTGRES = made(on.DATABASE_PARAMETERS, "own")
_REDIS7 = made(on.REDIS_PARAMETERS, "own")
_KEY = made(on.KEY, "vault-key")
_FEDERATED = {"Federated": f"arn:aws:iam::1:oidc-provider/{GITHUB}"}
_EXACT = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": "repo:example/board:environment:prod"}
_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:1:secret:slipway"
_PARAMETER = "aws:ssm/parameter:Parameter"


def _each(type_: str) -> Examples:
    """Every bucket has one of these."""
    return examples([_with(type_)], [world(_BUCKET)])


WORLDS: dict[str, Examples] = {
    "provider-explicit": examples(
        [world(_PROVIDER, made(on.BUCKET, provider=_PROVIDER.urn))], [world(made(on.BUCKET))]
    ),
    "region-by-provider": examples([world(made(on.BUCKET))], [_one(on.BUCKET, region="us-east-1")]),
    "nothing-deprecated": examples(
        [world(made(on.BUCKET_VERSIONING))],
        [
            world(made("aws:s3/bucketVersioningV2:BucketVersioningV2")),
            world(made("aws:s3/bucketV2:BucketV2")),
            world(made("aws:alb/loadBalancer:LoadBalancer")),
            world(made("cloudflare:index/record:Record")),
            world(made("cloudflare:index/workerScript:WorkerScript")),
        ],
    ),
    "vpc-flow-log": examples(
        [world(_VPC, made(on.FLOW_LOG, inputs={"trafficType": "ALL"}, links={"vpcId": _VPC}))], [world(_VPC)]
    ),
    "vpc-default-group-empty": examples(
        [world(_VPC, made(on.DEFAULT_SECURITY_GROUP, links={"vpcId": _VPC}))],
        [
            world(_VPC),
            *(
                world(
                    _VPC,
                    made(on.DEFAULT_SECURITY_GROUP, inputs={side: [{"fromPort": 0}]}, links={"vpcId": _VPC}),
                )
                for side in ("ingress", "egress")
            ),
        ],
    ),
    "security-group-rules-apart": examples(
        [world(made(on.SECURITY_GROUP))],
        [_one(on.SECURITY_GROUP, ingress=[{"fromPort": 443}]), world(made(on.SECURITY_GROUP_RULE))],
    ),
    "security-group-open-ports": examples(
        [
            _ingress(443, cidrIpv4="0.0.0.0/0"),
            _ingress(443, _RECORD, cidrIpv4="173.245.48.0/20"),
            _ingress(22, cidrIpv4="10.20.0.0/16"),
        ],
        [
            _ingress(22, cidrIpv4="0.0.0.0/0"),
            _ingress(5432, cidrIpv6="::/0"),
            _ingress(None, cidrIpv4="0.0.0.0/0"),
            _ingress(443, _RECORD, cidrIpv4="0.0.0.0/0"),
        ],
    ),
    "hosts-have-no-public-address": examples(
        [
            world(made(on.LAUNCH_TEMPLATE)),
            _one(on.LAUNCH_TEMPLATE, networkInterfaces=[{"associatePublicIpAddress": "false"}]),
        ],
        [_one(on.LAUNCH_TEMPLATE, networkInterfaces=[{"associatePublicIpAddress": "true"}])],
    ),
    "hosts-disks-encrypted": examples(
        [_one(on.LAUNCH_TEMPLATE, blockDeviceMappings=[{"ebs": {"encrypted": "true"}}])],
        [
            _one(on.LAUNCH_TEMPLATE, blockDeviceMappings=[{"ebs": {"encrypted": "false"}}]),
            world(made(on.LAUNCH_TEMPLATE)),
        ],
    ),
    "lb-behind-firewall": examples(
        [world(_LB, made(on.WEB_ACL_ASSOCIATION, links={"resourceArn": _LB}))], [world(_LB)]
    ),
    "firewall-limits-rates": examples(
        [_one(on.WEB_ACL, rules=[_MANAGED, _RATE])],
        [_one(on.WEB_ACL, rules=[_MANAGED]), _one(on.WEB_ACL, rules=[_RATE])],
    ),
    "target-group-algorithm-fits": examples(
        [
            _one(on.TARGET_GROUP, **_LEAST, slowStart=0),
            _one(on.TARGET_GROUP, loadBalancingAlgorithmType="round_robin", slowStart=30),
        ],
        [
            _one(on.TARGET_GROUP, **_LEAST, slowStart=30),
            _one(on.TARGET_GROUP, **_LEAST, loadBalancingCrossZoneEnabled="false"),
        ],
    ),
    "listener-redirects-to-tls": examples(
        [_listener(_TO_TLS)], [_listener({"type": "forward", "targetGroupArn": "arn"}), _listener()]
    ),
    "listener-never-ignores-weights": examples(
        [_listener(_TO_TLS)],
        [world(made(on.LISTENER, inputs={"port": 80}, ignore_changes=("defaultActions",)))],
    ),
    "listener-asks-for-cloudflares-certificate": examples(
        [
            world(made(on.LISTENER, inputs={**_HTTPS, "mutualAuthentication": _MTLS}), _RECORD),
            _one(on.LISTENER, **_HTTPS),
        ],
        [
            world(made(on.LISTENER, inputs=_HTTPS), _RECORD),
            world(made(on.LISTENER, inputs={**_HTTPS, "mutualAuthentication": {"mode": "off"}}), _RECORD),
        ],
    ),
    "zone-strict-tls": examples(
        [_setting(id_, good[0]) for id_, good in ZONE.items()],
        [
            _setting("ssl", "flexible"),
            _setting("min_tls_version", "1.0"),
            _setting("always_use_https", "off"),
            _setting("tls_client_auth", "off"),
        ],
    ),
    "site-behind-cloudflare": examples(
        [
            _one(on.DNS_RECORD, type="CNAME", content="${aws_lb.edge.dns_name}", proxied=True),
            _one(
                on.DNS_RECORD,
                type="CNAME", content="${tolist(aws_acm_certificate.site.options)[0].x}", proxied=False,
            ),
        ],
        [_one(on.DNS_RECORD, type="CNAME", content="${aws_lb.edge.dns_name}", proxied=False)],
    ),
    "edge-limits-rates": examples(
        [_one(on.RULESET, phase="http_ratelimit", rules=[_LIMIT])],
        [
            _one(on.RULESET, phase="http_ratelimit", rules=[{**_LIMIT, "action": "log"}]),
            _one(on.RULESET, phase="http_ratelimit", rules=[{"action": "block"}]),
        ],
    ),
    "token-scoped": examples(
        [_token(on.API_TOKEN, "com.cloudflare.edge.r2.bucket.a_default_b")],
        [
            _token(on.API_TOKEN, "com.cloudflare.api.account.*"),
            _token(on.ACCOUNT_TOKEN, "com.cloudflare.api.account.zone.*"),
        ],
    ),
    "database-force-tls": examples(
        [_parameters(on.DATABASE_PARAMETERS, ("rds.force_ssl", "1"))],
        [
            _parameters(on.DATABASE_PARAMETERS, ("rds.force_ssl", "0")),
            _parameters(on.DATABASE_PARAMETERS),
        ],
    ),
    "database-own-parameters": examples(
        [world(_POSTGRES, made(on.DATABASE, links={"parameterGroupName": _POSTGRES}))],
        [world(_POSTGRES, made(on.DATABASE, inputs={"parameterGroupName": "default.postgres16"}))],
    ),
    "database-password-never-in-state": examples(
        [_one(on.DATABASE, manageMasterUserPassword=True)],
        [_one(on.DATABASE, password="hunter2"), _one(on.DATABASE, passwordWo="hunter2")],
    ),
    "database-windows-apart": examples(
        [_one(on.DATABASE, backupWindow="02:00-03:00", maintenanceWindow="sun:03:30-sun:04:30")],
        [
            _one(on.DATABASE, backupWindow="03:00-04:00", maintenanceWindow="sun:03:30-sun:04:30"),
            _one(on.DATABASE, backupWindow="23:30-00:30", maintenanceWindow="sun:00:00-sun:01:00"),
            world(made(on.DATABASE)),
        ],
    ),
    "redis-password-never-in-state": examples([_redis()], [_redis(authToken="x" * 32), _redis(ignored=())]),
    "redis-not-sharded": examples(
        [_redis(), _redis(numNodeGroups=1)], [_redis(numNodeGroups=3), _redis(clusterMode="enabled")]
    ),
    "redis-evicts-nothing": examples(
        [_parameters(on.REDIS_PARAMETERS, ("maxmemory-policy", "noeviction"))],
        [
            _parameters(on.REDIS_PARAMETERS, ("maxmemory-policy", "allkeys-lru")),
            _parameters(on.REDIS_PARAMETERS),
        ],
    ),
    "redis-own-parameters": examples(
        [world(_REDIS7, made(on.REDIS, links={"parameterGroupName": _REDIS7}))],
        [world(_REDIS7, made(on.REDIS, inputs={"parameterGroupName": "default.redis7"}))],
    ),
    "bucket-shut-to-the-public": examples(
        [_with(on.PUBLIC_ACCESS_BLOCK, **_SHUT)],
        [world(_BUCKET), *(_with(on.PUBLIC_ACCESS_BLOCK, **{**_SHUT, each: False}) for each in BLOCKS)],
    ),
    "bucket-no-public-acl": examples([world(_BUCKET)], [_with(on.BUCKET_ACL, acl="public-read")]),
    "bucket-tls-only": examples(
        [_with(on.BUCKET_POLICY, policy=_TLS_ONLY)],
        [
            world(_BUCKET),
            _with(
                on.BUCKET_POLICY,
                policy=_document(Effect="Allow", Principal={"AWS": "1"}, Action="s3:*", Resource="*"),
            ),
            _with(on.BUCKET_POLICY, policy=_TLS_ONLY.replace('"s3:*"', '"s3:GetObject"')),
        ],
    ),
    "bucket-policy-not-public": examples(
        [_with(on.BUCKET_POLICY, policy=_TLS_ONLY)],
        [
            _with(
                on.BUCKET_POLICY,
                policy=_document(Effect="Allow", Principal="*", Action="s3:GetObject", Resource="*"),
            ),
            _with(
                on.BUCKET_POLICY,
                policy=_document(Effect="Allow", Principal={"AWS": ["*"]}, Action="s3:*"),
            ),
        ],
    ),
    "bucket-versioned": _each(on.BUCKET_VERSIONING),
    "bucket-tidied": _each(on.BUCKET_LIFECYCLE),
    "bucket-owned": _each(on.BUCKET_OWNERSHIP),
    "bucket-encrypted": _each(on.BUCKET_ENCRYPTION),
    "bucket-cors-names-origins": examples(
        [_with(on.BUCKET_CORS, corsRules=[{"allowedOrigins": ["https://board.example.com"]}])],
        [
            _with(on.BUCKET_CORS, corsRules=[{"allowedOrigins": ["*"]}]),
            _with(on.BUCKET_CORS, corsRules=[{"allowedOrigins": ["https://*.example.com"]}]),
            _with(on.BUCKET_CORS, corsRules=[{"allowedOrigins": ["http://board.example.com"]}]),
            _with(on.R2_CORS, rules=[{"allowed": {"origins": ["*"]}}]),
        ],
    ),
    "no-secret-versions": examples(
        [world(made(on.SECRET))],
        [_one(on.SECRET_VERSION, secretString="x"), world(made(on.SECRET_ROTATION))],
    ),
    "secret-by-own-key": examples(
        [world(_KEY, made(on.SECRET, links={"kmsKeyId": _KEY}))], [world(_KEY, made(on.SECRET))]
    ),
    "stateful-protected": examples(
        [world(made(on.DATABASE, protect=True)), world(made(on.DATABASE), purpose="preview")],
        [world(made(each)) for each in on.STATEFUL],
    ),
    "never-deleted-first": examples(
        [world(made(on.DATABASE))], [world(made(on.DATABASE, delete_before_replace=True))]
    ),
    "no-secret-inputs": examples(
        [
            _one(on.DATABASE, manageMasterUserPassword=True),
            world(made(_PARAMETER, inputs={"type": "String"}, secret_inputs=("value",))),
        ],
        [
            _one(on.DATABASE, password="hunter2"),
            _one(_PARAMETER, type="SecureString", value="x"),
            world(made("aws:lambda/function:Function", secret_inputs=("environment.variables.KEY",))),
            _one("aws:x/y:Y", bindings=[{"secretText": "x"}]),
        ],
    ),
    "no-secret-outputs": examples(
        [world(_PROTECTED_BUCKET, outputs={"url": "https://board.example.com"})],
        [world(_PROTECTED_BUCKET, outputs={"password": "hunter2"}, secret_outputs=("password",))],
    ),
    "no-users": examples(
        [world(made(on.IAM_ROLE))], [world(made(on.IAM_USER)), world(made(on.IAM_ACCESS_KEY))]
    ),
    "policies-without-wildcards": examples(
        [
            _policy("s3:GetObject", "arn:aws:s3:::builds/*"),
            _policy(["ec2:Describe*", "ses:Get*Configuration*", "cloudwatch:PutMetricData"], "*"),
            _policy("s3:*", "*", Effect="Deny"),
            _policy(
                "cloudwatch:PutMetricData", "*",
                Condition={"StringEquals": {"cloudwatch:namespace": "x"}},
            ),
        ],
        [
            _policy("*", "arn:aws:s3:::builds/*"),
            _policy("s3:*", "arn:aws:s3:::builds/*"),
            _policy("s3:GetObject", "*"),
            _policy("secretsmanager:Get*", "*"),
            _policy("secretsmanager:GetSecretValue", ["*"]),
            _policy("s3:PutObject", "arn:aws:s3:::*"),
            _policy("kms:Decrypt", "arn:aws:kms:us-east-1:1:key/*"),
        ],
    ),
    "no-sweeping-managed-policies": examples(
        [_one(on.IAM_ATTACHMENT, policyArn="arn:aws:iam::1:policy/own")],
        [
            _one(on.IAM_ATTACHMENT, policyArn=f"arn:aws:iam::aws:policy/{name}")
            for name in ("AdministratorAccess", "AmazonS3FullAccess", "AmazonSSMManagedInstanceCore")
        ],
    ),
    "github-trusted-exactly": examples(
        [_trust(_FEDERATED, {"StringEquals": _EXACT}), _one(on.IAM_ROLE, assumeRolePolicy="{}")],
        [
            _trust(_FEDERATED, {"StringLike": _EXACT}),
            _trust(_FEDERATED, {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"}}),
            _trust(_FEDERATED, {"StringEquals": {**_EXACT, f"{GITHUB}:sub": "repo:example/*"}}),
            _trust({"AWS": "*"}, {}),
        ],
    ),
    "names-of-this-stack": examples(
        [_one(on.SECRET, name="slipway/board/example/app"), _one(on.BUCKET, bucket="board-example-builds-1")],
        [
            _one(on.SECRET, name="slipway/board/prod/app"),
            _one(on.SECRET, name="app"),
            _one(on.BUCKET, bucket="board-uploads"),
            _one(on.KEY_ALIAS, name="alias/slipway/board/prod"),
        ],
    ),
    "policies-of-this-stack": examples(
        [_policy("secretsmanager:GetSecretValue", f"{_SECRET_ARN}/board/example/app")],
        [_policy("secretsmanager:GetSecretValue", f"{_SECRET_ARN}/board/prod/app")],
    ),
}  # fmt: skip

EXAMPLES: dict[str, Examples] = {
    **{id_: values(id_, good, *bad) for id_, (good, *bad) in VALUES.items()},
    **WORLDS,
}

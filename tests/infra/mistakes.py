"""Mistakes of the kinds that meet a first `up`, each as one change of production's recorded graph.

Single settings, wrong references, names in two places, routes, rules, policies: what a person may write and
what no type, emulator or provider refuses before AWS does, or nothing refuses at all.
"""

# ruff: noqa: E501 - a table, a mistake in each line
from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from infra.recording import Resource
from tests.infra.policy_examples import put

Change = Callable[[Resource], Resource | None]


def given(path: str, value: Any) -> Change:
    return lambda resource: replace(resource, inputs=put(resource.inputs, path, value))


def dropped(name: str) -> Change:
    return lambda resource: replace(
        resource, inputs={key: value for key, value in resource.inputs.items() if key != name}
    )


def gone(_: Resource) -> None:
    return None


def text(name: str, old: str, new: str) -> Change:
    """The input with `old` in it replaced by `new`."""

    def change(resource: Resource) -> Resource:
        assert old in resource.inputs[name], f"{resource.name}.{name} has no {old}"
        return replace(resource, inputs={**resource.inputs, name: resource.inputs[name].replace(old, new)})

    return change


def without_statement(name: str, sid: str) -> Change:
    """A policy document without the statement `sid`."""

    def change(resource: Resource) -> Resource:
        document = json.loads(resource.inputs[name])
        kept = [each for each in document["Statement"] if each.get("Sid") != sid]
        assert len(kept) < len(document["Statement"]), f"{resource.name} has no statement {sid}"
        return replace(
            resource, inputs={**resource.inputs, name: json.dumps({**document, "Statement": kept})}
        )

    return change


def without_action(name: str, sid: str, action: str) -> Change:
    """A policy whose statement `sid` no longer names `action`."""

    def change(said: dict[str, Any]) -> None:
        assert action in said["Action"], f"{sid} names no {action}"
        said["Action"] = [each for each in said["Action"] if each != action]

    return with_statement(name, sid, change)


def without_condition(name: str, sid: str, key: str) -> Change:
    """A policy whose statement `sid` no longer compares `key`."""

    def change(said: dict[str, Any]) -> None:
        assert any(key in keys for keys in said["Condition"].values()), f"{sid} compares no {key}"
        left = {op: {k: v for k, v in keys.items() if k != key} for op, keys in said["Condition"].items()}
        said["Condition"] = {op: keys for op, keys in left.items() if keys}

    return with_statement(name, sid, change)


def with_statement(name: str, sid: str, change: Callable[[dict[str, Any]], None]) -> Change:
    """A policy whose statement `sid` is changed."""

    def changed(resource: Resource) -> Resource:
        document = json.loads(resource.inputs[name])
        (said,) = [each for each in document["Statement"] if each.get("Sid") == sid]
        change(said)
        return replace(resource, inputs={**resource.inputs, name: json.dumps(document)})

    return changed


def parameter(which: str, **changes: str) -> Change:
    """A parameter group with one parameter changed."""

    def change(group: Resource) -> Resource:
        pairs = [
            {**each, **changes} if each["name"] == which else each for each in group.inputs["parameters"]
        ]
        assert pairs != group.inputs["parameters"]
        return replace(group, inputs={**group.inputs, "parameters": pairs})

    return change


def user_data(old: str, new: str) -> Change:
    """A launch template with other user data."""

    def change(template: Resource) -> Resource:
        script = base64.b64decode(template.inputs["userData"]).decode()
        assert old in script
        encoded = base64.b64encode(script.replace(old, new).encode()).decode()
        return replace(template, inputs={**template.inputs, "userData": encoded})

    return change


def before(kind: str) -> Change:
    """A resource that no longer depends on resources of this kind."""

    def change(resource: Resource) -> Resource:
        kept = tuple(urn for urn in resource.depends_on if not urn.split("::")[2].endswith(f":{kind}"))
        assert kept != resource.depends_on, f"{resource.name} depends on no {kind}"
        return replace(resource, depends_on=kept)

    return change


def subnets(tier: str) -> list[str]:
    return [f"${{aws_subnet.network-{tier}-{letter}.id}}" for letter in "ab"]


ARN = "${aws_lb.edge-load-balancer.arn}"
MISTAKES: dict[str, tuple[str, Change]] = {
    # What AWS accepts in a field
    "an apostrophe in a group's description": ("edge-group", given("description", "the site's visitors")),
    "a percent sign in a rule's description": ("access-web-out", given("description", "100% out")),
    "an upper-case bucket": ("storage-uploads-bucket", given("bucket", "Board-uploads")),
    "a load balancer's name of 40 characters": ("edge-load-balancer", given("name", "b" * 40)),
    "a load balancer's name with an underscore": ("edge-load-balancer", given("name", "board_prod")),
    "a database's identifier with two hyphens": ("database-instance", given("identifier", "board--prod")),
    "a reserved master user": ("database-instance", given("username", "admin")),
    "a database called with a hyphen": ("database-instance", given("dbName", "board-app")),
    "a day that no week has": ("database-instance", given("maintenanceWindow", "son:03:30-son:04:30")),
    "an hour that no day has": ("database-instance", given("backupWindow", "24:00-25:00")),
    "a certificate authority that ended": ("database-instance", given("caCertIdentifier", "rds-ca-2019")),
    "insights for 30 days": ("database-instance", given("performanceInsightsRetentionPeriod", 30)),
    "monitoring every 45 s": ("database-instance", given("monitoringInterval", 45)),
    "backups for 60 days": ("database-instance", given("backupRetentionPeriod", 60)),
    "a kind of storage that RDS does not have": ("database-instance", given("storageType", "gp4")),
    "a log that PostgreSQL does not export": (
        "database-instance", given("enabledCloudwatchLogsExports", ["postgresql", "slowquery"]),
    ),
    "logs kept for 100 days": ("compute-web-log", given("retentionInDays", 100)),
    "a hook of 10 s": ("compute-web-leaving", given("heartbeatTimeout", 10)),
    "a hook with another result": ("compute-web-leaving", given("defaultResult", "PROCEED")),
    "hosts that live for an hour": ("compute-web-group", given("maxInstanceLifetime", 3600)),
    "a health check that Auto Scaling does not know": ("compute-web-group", given("healthCheckType", "ALB")),
    "a termination policy that does not exist": (
        "compute-web-group", given("terminationPolicies", ["OldestInstances"]),
    ),
    "an instance type that does not exist": ("compute-web-template", given("instanceType", "t3.mediun")),
    "a kind of disk that EBS does not have": (
        "compute-web-template", given("blockDeviceMappings.0.ebs.volumeType", "gp4"),
    ),
    "two hops for metadata, as text": (
        "compute-web-template", given("metadataOptions.httpPutResponseHopLimit", 0),
    ),
    "a key deleted after 5 days": ("vault-key", given("deletionWindowInDays", 5)),
    "an alias of AWS's own": ("vault-alias", given("name", "alias/aws/board")),
    "a secret with a space in its name": ("vault-app", given("name", "slipway/board/prod/the app")),
    "a TLS policy that does not exist": ("listeners-https", given("sslPolicy", "ELBSecurityPolicy-TLS13-1-4")),
    "a header that is no HSTS": (
        "listeners-https", given("routingHttpResponseStrictTransportSecurityHeaderValue", "31536000"),
    ),
    "a matcher of words": ("edge-web-targets", given("healthCheck.matcher", "OK")),
    "a slow start of 10 s": ("edge-web-targets", given("slowStart", 10)),
    "a prefix of logs that AWS reserves": ("edge-load-balancer", given("accessLogs.prefix", "AWSLogs/edge")),
    "a firewall for CloudFront": ("edge-firewall-acl", given("scope", "CLOUDFRONT")),
    "a rate limit of 5": ("edge-firewall-acl", given("rules.0.statement.rateBasedStatement.limit", 5)),
    "a managed group that does not exist": (
        "edge-firewall-acl", given("rules.1.statement.managedRuleGroupStatement.name", "AWSManagedRulesXssRuleSet"),
    ),
    "a tag with a colon that AWS reserves": ("network-vpc", given("tags", {"aws:Name": "board"})),
    "an action misspelt": ("identity-web-policy", text("policy", "s3:GetObject", "s3:GetObjects")),
    "a condition's operator misspelt": ("identity-web-policy", text("policy", "StringLike", "StringLikes")),
    "a trust policy with a resource": (
        "identity-web-role", text("assumeRolePolicy", '"Principal"', '"Resource":"*","Principal"'),
    ),
    "a session of half an hour": ("identity-deploy-role", given("maxSessionDuration", 1800)),
    "Redis 9": ("cache-redis", given("engineVersion", "9")),
    "a snapshot kept for 90 days": ("cache-redis", given("snapshotRetentionLimit", 90)),
    "a zone setting that ended": ("front-zone-http3", given("settingId", "brotli")),
    "a zone setting with another value": ("front-zone-ssl", given("value", "strictest")),
    # Who reaches whom
    "NAT in a private subnet": ("network-nat-a", given("subnetId", subnets("private")[0])),
    "NAT without an address": ("network-nat-b", dropped("allocationId")),
    "data in public subnets": ("database-subnets", given("subnetIds", subnets("public"))),
    "Redis in private subnets": ("cache-subnets", given("subnetIds", subnets("private"))),
    "data on the public route table": (
        "network-data-b-routes", given("routeTableId", "${aws_route_table.network-public-table.id}"),
    ),
    "hosts without a route": ("network-private-a-out", gone),
    "a public table without a route": ("network-public-out", gone),
    "the internet gateway of nothing": ("network-internet", dropped("vpcId")),
    "hosts that may not speak": ("access-web-out", gone),
    "an endpoint closed to its users": ("network-endpoints-from-hosts", given("cidrIpv4", "10.21.0.0/16")),
    "an endpoint on port 80": ("network-endpoints-from-hosts", given("toPort", 80)),
    "S3's endpoint on no table": ("network-endpoints-s3", given("routeTableIds", [])),
    "S3's endpoint on the data table": (
        "network-endpoints-s3", given("routeTableIds", ["${aws_route_table.network-data-table.id}"]),
    ),
    "an endpoint in one zone": ("network-endpoints-ssm", given("subnetIds", subnets("private")[:1])),
    "names of endpoints off": ("network-vpc", given("enableDnsSupport", False)),
    "a load balancer in data subnets": ("edge-load-balancer", given("subnets", subnets("data"))),
    "the database's rule on MySQL's port": ("database-from-web", given("fromPort", 3306)),
    "no rule from the proxy": ("database-from-proxy", gone),
    "Redis closed to workers": ("cache-from-worker", gone),
    "HAProxy closed to the load balancer": ("access-web-from-load-balancer", gone),
    "a load balancer that may not ask hosts": ("access-load-balancer-to-web", given("toPort", 80)),
    "workers open to the load balancer": (
        "access-web-from-load-balancer", given("securityGroupId", "${aws_security_group.access-worker.id}"),
    ),
    "overlapping subnets": ("network-private-b", given("cidrBlock", "10.20.32.0/19")),
    "a subnet outside of the VPC": ("network-data-a", given("cidrBlock", "10.30.0.0/21")),
    "a zone by its letter": ("network-private-b", given("availabilityZone", "us-east-1b")),
    "a zone of another region": ("network-private-b", given("availabilityZoneId", "euc1-az2")),
    "an image for other processors": (
        "compute-web-template", given("imageId", "resolve:ssm:/aws/service/debian/release/13/latest/arm64"),
    ),
    "the workers' image on web hosts": (
        "compute-web-template", given("imageId", "resolve:ssm:/slipway/board/prod/image/worker/amd64"),
    ),
    "two subnets in one zone": ("network-private-b", given("availabilityZoneId", "use1-az1")),
    # One thing in two places
    "an alarm on the ARN": ("alarms-latency-p95", given("dimensions.LoadBalancer", ARN)),
    "an alarm without a dimension": (
        "alarms-no-host", given("dimensions", {"LoadBalancer": "${aws_lb.edge-load-balancer.arn_suffix}"}),
    ),
    "a metric misspelt": ("alarms-unhealthy-host", given("metricName", "UnhealthyHostCount")),
    "a namespace misspelt": ("alarms-redis-memory", given("namespace", "AWS/Elasticache")),
    "a metric that hosts do not publish": ("alarms-queue-length", given("metricName", "QueueLength")),
    "an alarm on another database": ("alarms-database-storage", given("dimensions.DBInstanceIdentifier", "prod")),
    "an alarm on the cluster": ("alarms-redis-memory-2", given("dimensions.CacheClusterId", "board-prod")),
    "a percentage of mail": ("mail-bounces", given("threshold", 5)),
    "seconds as milliseconds": ("alarms-latency-p95", given("threshold", 5000)),
    "more points than periods": ("alarms-no-host", given("datapointsToAlarm", 5)),
    "an alarm over two days": ("alarms-certificate", given("evaluationPeriods", 9)),
    "a formula that names nothing": ("alarms-errors-5xx", given("metricQueries.3.expression", "errors / requests")),
    "an alarm that notifies a name": ("alarms-no-host", given("alarmActions", ["board-prod-alarms"])),
    "a topic closed to alarms": ("alarms-topic-policy", text("policy", "cloudwatch.amazonaws.com", "lambda.amazonaws.com")),
    "a key closed to alarms": ("vault-key", without_statement("policy", "Notifiers")),
    "a key closed to log groups": ("vault-key", without_statement("policy", "LogGroups")),
    "a key closed to disks": ("vault-key", without_statement("policy", "HostDiskGrants")),
    "logs of another group": (
        "alarms-log-DatabaseConnectionErrors", given("logGroupName", "/aws/rds/instance/board/postgresql"),
    ),
    "the hosts' log by another name": ("compute-web-log", given("name", "/slipway/board/prod/webs")),
    "the firewall's log by another name": ("edge-firewall-log", given("name", "/slipway/board/prod/waf")),
    "a hook by another name": ("compute-web-leaving", given("name", "drain")),
    "a hook on the wrong side": (
        "compute-web-leaving", given("lifecycleTransition", "autoscaling:EC2_INSTANCE_LAUNCHING"),
    ),
    "a group by another name": ("compute-web-group", given("name", "board-prod-frontend")),
    "web hosts without a target group": ("compute-web-group", given("targetGroupArns", [])),
    "a template of the other role": (
        "compute-web-group", given("launchTemplate.id", "${aws_launch_template.compute-worker-template.id}"),
    ),
    "a profile of the other role": (
        "compute-web-template", given("iamInstanceProfile.arn", "${aws_iam_instance_profile.identity-worker-profile.arn}"),
    ),
    "a group's id as its profile": (
        "compute-web-template", given("iamInstanceProfile.arn", "${aws_iam_instance_profile.identity-web-profile.id}"),
    ),
    "the root device of Ubuntu": ("compute-web-template", given("blockDeviceMappings.0.deviceName", "/dev/sda1")),
    "user data of another bucket": ("compute-web-template", user_data("board-prod-builds", "board-builds")),
    "user data of 20 KB": ("compute-web-template", user_data("#!/usr/bin/python3 -I", "#!/usr/bin/python3 -I\n#" + "x" * 20_000)),
    "tags that are not propagated": ("compute-web-group", given("tags.0.propagateAtLaunch", False)),
    "a target group on another port": ("edge-web-targets", given("port", 80)),
    "another readiness path": ("edge-web-targets", given("healthCheck.path", "/healthz")),
    "slipway's own paths public": ("listeners-private-1", gone),
    "two rules of one priority": ("listeners-private-2", given("priority", 1)),
    "a listener that forwards to the load balancer": (
        "listeners-https", given("defaultActions.0.targetGroupArn", ARN),
    ),
    "a redirect to 8443": ("listeners-http", given("defaultActions.0.redirect.port", "8443")),
    "a family of another version": ("database-parameters", given("family", "postgres15")),
    "a family that ElastiCache does not have": ("cache-parameters", given("family", "redis7.1")),
    "a static parameter at once": ("database-parameters", parameter("shared_preload_libraries", applyMethod="immediate")),
    "a parameter misspelt": ("database-parameters", parameter("log_lock_waits", name="log_lock_wait")),
    "cluster mode by halves": ("cache-parameters", parameter("cluster-enabled", value="yes")),
    "a subnet group by another name": ("database-instance", given("dbSubnetGroupName", "board-prod-data")),
    "failover with one node": ("cache-redis", given("numCacheClusters", 1)),
    "windows that overlap": ("database-instance", given("maintenanceWindow", "sun:02:30-sun:03:30")),
    "storage that cannot grow": ("database-instance", given("maxAllocatedStorage", 51)),
    "logs encrypted with KMS": (
        "storage-logs-encryption", given("rules.0.applyServerSideEncryptionByDefault.sseAlgorithm", "aws:kms"),
    ),
    "logs to another prefix than the policy's": (
        "storage-logs-policy", text("policy", "logs-123456789012/*/AWSLogs", "logs-123456789012/elb/AWSLogs"),
    ),
    "a bucket's policy on another bucket": ("storage-builds-policy", text("policy", "board-prod-builds", "board-prod-uploads")),
    "a trail that its bucket does not know": ("audit-trail", given("name", "board-trail")),
    "a role that trusts the wrong service": (
        "database-metrics-role", text("assumeRolePolicy", "monitoring.rds.amazonaws.com", "rds.amazonaws.com"),
    ),
    "a host that may not leave": (
        "identity-web-policy", text("policy", "autoScalingGroupName/board-prod-web", "autoScalingGroupName/board-web"),
    ),
    "a host that may not log": ("identity-web-policy", text("policy", "log-group:/slipway/board/prod", "log-group:/board/prod")),
    "a host without its boot secret": ("identity-worker-policy", text("policy", "vault-boot-worker", "vault-boot-web")),
    "objects of a bucket without their slash": (
        "identity-web-policy", text("policy", 'storage-builds-bucket.arn}/*"]', 'storage-builds-bucket.arn}"]'),
    ),
    "metrics in another namespace": ("identity-web-policy", text("policy", '"slipway/board-prod"', '"slipway"')),
    "another account in an ARN": ("identity-web-policy", text("policy", "ses:us-east-1:123456789012", "ses:us-east-1:210987654321")),
    "another region in a policy": ("identity-web-policy", text("policy", "arn:aws:logs:us-east-1", "arn:aws:logs:us-west-2")),
    "an endpoint of another region": ("network-endpoints-ssm", given("serviceName", "com.amazonaws.us-west-2.ssm")),
    "an endpoint of a service that does not exist": (
        "network-endpoints-ssmmessages", given("serviceName", "com.amazonaws.us-east-1.ssmmessage"),
    ),
    "a secret by another name": ("vault-boot-web", given("name", "slipway/board/prod/web")),
    "outputs by another name": ("outputs-parameter", given("name", "/slipway/board/outputs")),
    "GitHub's audience by another name": ("identity-github", given("clientIdLists", ["sts.amazon.com"])),
    "GitHub's subject without an environment": (
        "identity-deploy-role", text("assumeRolePolicy", ":environment:prod", ":prod"),
    ),
    "mail from another domain": ("mail-identity", given("emailIdentity", "mail.example.com")),
    "a set of rules by another name": ("mail-identity", given("configurationSetName", "board")),
    "a DKIM record without its dot": ("mail-proof-dkim-1", text("content", ".dkim.amazonses.com", ".dkim.amazonaws.com")),
    "a budget of another tag": ("budget-monthly", given("costFilters.0.values", ["user:fleet$board-prod"])),
    "a certificate that is not issued yet": ("certificate-issued", gone),
    "an alarm that no one receives": ("alarms-mail-oncall@example.com", gone),
    "a firewall's count by the wrong address": (
        "edge-firewall-acl", given("rules.0.statement.rateBasedStatement.aggregateKeyType", "IP"),
    ),
    "a Worker's class by another name": ("realtime-script", given("migrations.newSqliteClasses", ["Boards"])),
    "a domain of another Worker": ("realtime-domain", given("service", "board-rt")),
    "a rate rule in the cache's phase": ("front-rules-limit", given("phase", "http_request_cache_settings")),
    "a site that leads to the zone's id": ("front-site", text("content", "dns_name", "zone_id")),
    "bounces to another region": (
        "mail-proof-mail-from", given("content", "feedback-smtp.eu-west-1.amazonses.com"),
    ),
    "bounces to another domain": ("mail-from", given("mailFromDomain", "bounce.example.org")),
    "SPF that leaves SES out": ("mail-proof-spf", given("content", '"v=spf1 -all"')),
    "a proof behind the proxy": ("mail-proof-dkim-2", given("proxied", True)),
    # Order, and what was promised elsewhere
    "a database before its log groups": ("database-instance", before("LogGroup")),
    "a load balancer before its logs' policy": ("edge-load-balancer", before("BucketPolicy")),
    "NAT before the internet": ("network-nat-a", before("Route")),
    "hosts before their routes": ("compute-worker-group", before("Route")),
    "a policy beside its block": ("storage-builds-policy", before("BucketPublicAccessBlock")),
    "Redis' token taken back": ("cache-redis", lambda each: replace(each, ignore_changes=())),
    "a number of hosts that is fixed": ("compute-web-group", given("desiredCapacity", 2)),
    "a rule for a range of ports": ("cache-from-web", given("fromPort", 1024)),
    "a rule for no one": ("cache-from-web", dropped("referencedSecurityGroupId")),
    "no patience with new hosts": ("compute-web-group", given("healthCheckGracePeriod", 120)),
    "rollback to an image by parameter": (
        "compute-web-group", given("instanceRefresh.preferences.autoRollback", True),
    ),
    "replacement by 250 percent": ("compute-worker-group", given("instanceMaintenancePolicy.maxHealthyPercentage", 250)),
    "a drain that outlives its host": ("edge-web-targets", given("deregistrationDelay", 300)),
    "HTTP/2 to HAProxy": ("edge-web-targets", given("protocolVersion", "HTTP2")),
    "the client's port in its address": ("edge-load-balancer", given("enableXffClientPort", True)),
    "the client's address believed": ("edge-load-balancer", given("xffHeaderProcessingMode", "preserve")),
    "a network load balancer": ("edge-load-balancer", given("loadBalancerType", "network")),
    "outputs of another bucket": ("outputs-parameter", text("value", "board-prod-builds", "board-builds")),
    "outputs of another group": ("outputs-parameter", text("value", '"board-prod-worker"', '"board-worker"')),
    "outputs with another port": ("outputs-parameter", text("value", ":6379/", ":6380/")),
    "outputs of the other boot secret": ("outputs-parameter", text("value", "vault-boot-worker", "vault-boot-web")),
    "a release that may not write boot secrets": (
        "identity-deploy-policy", without_statement("policy", "WriteBootSecrets"),
    ),
    "a release for hosts of another tag": ("identity-deploy-policy", text("policy", '"board-prod"', '"prod"')),
    "keys for another user": ("identity-deploy-policy", text("policy", '"admin"', '"ec2-user"')),
    "a key by another region's service": ("identity-web-policy", text("policy", "s3.us-east-1.amazonaws.com", "s3.us-west-2.amazonaws.com")),
    "a role without its tags": ("identity-web-role", given("tags", {"slipway:project": "board"})),
    "a proxy with the app's secret": (
        "database-proxy-proxy", given("auths.0.secretArn", "${aws_secretsmanager_secret.vault-app.arn}"),
    ),
    "a proxy that may not decrypt": ("identity-proxy-policy", without_statement("policy", "DecryptIt")),
    "a budget at 0.8 percent": ("budget-monthly", given("notifications.0.threshold", 0.8)),
    "another identity provider": ("identity-github", given("url", "https://github.com")),
    "a certificate of another name": ("certificate-certificate", given("domainName", "www.example.com")),
    "a rule for another site": (
        "front-rules-limit", given("rules.0.expression", '(http.host eq "example.com")'),
    ),
    "a reference to nothing": ("edge-web-targets", given("vpcId", "${aws_vpc.main.id}")),
    # What each role needs, and what it must not get
    "a release that deletes no old builds": ("identity-deploy-policy", without_action("policy", "Builds", "s3:DeleteObject")),
    "a release that cannot say which boot secret is current": (
        "identity-deploy-policy", without_action("policy", "WriteBootSecrets", "secretsmanager:UpdateSecretVersionStage"),
    ),
    "a release that cannot encrypt": ("identity-deploy-policy", without_action("policy", "UseKey", "kms:GenerateDataKey")),
    "snapshots that are never deleted": (
        "identity-deploy-policy", without_action("policy", "SnapshotBeforeMigration", "rds:DeleteDBSnapshot"),
    ),
    "a host whose drain is never over": ("identity-worker-policy", without_statement("policy", "Leave")),
    "hosts that Session Manager cannot call": (
        "identity-web-policy", without_action("policy", "Sessions", "ssmmessages:OpenControlChannel"),
    ),
    "hosts that cannot become the app": ("identity-web-policy", without_statement("policy", "ActAsApp")),
    "an app that cannot delete an upload": ("identity-app-policy", without_action("policy", "Uploads", "s3:DeleteObject")),
    "a pull request that may read secrets": (
        "identity-preview-policy", without_action("policy", "SeeNoData", "secretsmanager:GetSecretValue"),
    ),
    "a host that may pass roles on": ("identity-worker-policy", without_statement("policy", "NoRolePassed")),
    "a host with others' keys": ("identity-web-policy", without_action("policy", "NotOthersKeys", "kms:Decrypt")),
    "sessions with any document": (
        "identity-deploy-policy", without_condition("policy", "StartSessions", "ssm:SessionDocumentAccessCheck"),
    ),
    "a key for every service": ("identity-worker-policy", without_condition("policy", "UseKey", "kms:ViaService")),
    "mail from any address": ("identity-app-policy", without_condition("policy", "SendMail", "ses:FromAddress")),
    "an app's role for the whole account": (
        "identity-app-role", without_condition("assumeRolePolicy", "Hosts", "aws:PrincipalArn"),
    ),
    "a bucket that speaks TLS 1.0": ("storage-uploads-policy", without_statement("policy", "OnlyModernTls")),
    "a bucket for other fleets": (
        "storage-builds-policy", without_condition("policy", "NotOtherFleets", "aws:PrincipalTag/slipway:fleet"),
    ),
    "objects without what guards their bucket": (
        "storage-logs-policy", text("policy", '"arn:aws:s3:::board-prod-logs-123456789012/*"', '"arn:aws:s3:::board-prod-logs-123456789012"'),
    ),
    "a boot secret for hosts of every role": ("vault-boot-web-policy", without_statement("policy", "NotOtherRoles")),
    "a boot secret for another role": ("vault-boot-web-policy", text("policy", '"web"', '"worker"')),
    "a topic by plain HTTP": ("alarms-topic-policy", without_statement("policy", "OnlyTls")),
    "notifiers of any account": ("vault-key", without_condition("policy", "Notifiers", "aws:SourceAccount")),
    "disks that may not be decrypted": ("vault-key", without_action("policy", "HostDisks", "kms:Decrypt")),
    "grants for whomever": ("vault-key", without_condition("policy", "HostDiskGrants", "kms:GrantIsForAWSResource")),
    # One of each for each, and nothing left out
    "the encryption of another bucket": (
        "storage-builds-encryption", given("bucket", "${aws_s3_bucket.storage-uploads-bucket.id}"),
    ),
    "the owner of another bucket": ("audit-trail-owner", given("bucket", "${aws_s3_bucket.storage-logs-bucket.id}")),
    "a secret without its policy": ("vault-app-policy", gone),
    "routes of the other zone": (
        "network-data-b-routes", given("subnetId", "${aws_subnet.network-data-a.id}"),
    ),
    "a hook on the other group": ("compute-web-leaving", given("autoscalingGroupName", "board-prod-worker")),
    "Cloudflare at Redis": (
        "edge-from-443-3", given("securityGroupId", "${aws_security_group.cache-group.id}"),
    ),
    "a port that is closed to one of Cloudflare's ranges": ("edge-from-80-3", gone),
    "private paths refused where nothing is served": (
        "listeners-private-2", given("listenerArn", "${aws_lb_listener.listeners-http.arn}"),
    ),
    "a group of the default network": ("cache-group", dropped("vpcId")),
    "a database with RDS' own parameters": ("database-instance", dropped("parameterGroupName")),
    "a gateway where an interface was meant": ("network-endpoints-ssm", dropped("vpcEndpointType")),
    "logs with AWS's own key": ("compute-worker-log", dropped("kmsKeyId")),
    "insights with AWS's own key": ("database-instance", dropped("performanceInsightsKmsKeyId")),
    "HTTPS without a certificate": ("listeners-https", dropped("certificateArn")),
    "hosts of no type": ("compute-web-template", dropped("instanceType")),
    "scaling by nothing": ("compute-web-scaling", dropped("targetTrackingConfiguration")),
    "mail without a priority": ("mail-proof-mail-from", dropped("priority")),
    "a subnet of no size": ("network-data-a", dropped("cidrBlock")),
    "a proxy for no database": ("database-proxy-target", dropped("dbInstanceIdentifier")),
    "a trail that may not encrypt": ("vault-key", without_action("policy", "Trail", "kms:GenerateDataKey*")),
    "a range with a letter": ("access-web-out", given("cidrIpv4", "0.0.0.0/0x")),
    "a subnet with a letter": ("network-private-a", given("cidrBlock", "10.20.0.0/18x")),
    "a window with a letter": ("cache-redis", given("snapshotWindow", "01:00-02:00x")),
    "a rule of another zone": ("front-rules-limit", given("zoneId", "0" * 32)),
    "a record of another zone": ("mail-proof-spf", given("zoneId", "fedcba9876543210")),
    "a Worker of another account": ("realtime-domain", given("accountId", "f" * 32)),
    "a front that anyone walks around": ("front-zone-origin-pulls", given("enabled", False)),
    "a Worker on Cloudflare's own name": ("realtime-only-by-name", given("enabled", True)),
    "the own name of another Worker": ("realtime-only-by-name", given("scriptName", "board-rt")),
    "a rule that is off": ("front-rules-managed", given("rules.0.enabled", False)),
    "uploads for another site": ("storage-uploads-cors", given("corsRules.0.allowedOrigins", ["https://board.example.org"])),
    "bounces of another identity": ("mail-from", given("emailIdentity", "example.org")),
    "an alarm that no release finds": ("alarms-no-host", given("name", "no-host")),
    "an alarm without a threshold": ("alarms-redis-memory", dropped("threshold")),
    "an alarm at the first bad minute": ("alarms-latency-p95", given("datapointsToAlarm", 1)),
    "an alarm the wrong way round": ("alarms-no-host", given("comparisonOperator", "GreaterThanThreshold")),
    "silence that is no alarm": ("alarms-no-host", given("treatMissingData", "notBreaching")),
    "a table of alerts with a hole": ("alarms-database-storage", gone),
}  # fmt: skip
"""By what it is: the resource's logical name, and the change. `None` takes the resource away."""

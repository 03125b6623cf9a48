"""What botocore's models leave open, by resource and input: another name, a form, a range, and its source."""

from __future__ import annotations

from dataclasses import dataclass

API = "https://docs.aws.amazon.com/"
EC2 = f"{API}AWSEC2/latest/APIReference/"
RDS = f"{API}AmazonRDS/latest/APIReference/"
REDIS = f"{API}AmazonElastiCache/latest/APIReference/"
ELB = f"{API}elasticloadbalancing/latest/APIReference/"
BUCKETS = f"{API}AmazonS3/latest/"


@dataclass(frozen=True)
class Row:
    """One input of one type of resource. A path names nested inputs by dots, without the numbers of lists."""

    on: str
    path: str
    member: str = ""
    """Member of the model, or `service.Operation/member`, if the provider has another name for it."""
    form: str = ""
    """Expression that the whole text must match."""
    least: float | None = None
    """The least number, or number of characters of a text."""
    most: float | None = None
    source: str = ""
    free: str = ""
    """Why any value is valid, or who else checks it."""


_TEXT = r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*"
"""EC2's characters in descriptions of security groups and their rules: no apostrophe, no percent sign."""
_CIDR = r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}"
_HYPHENS = r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]*(?<!-)"
"""RDS's and ElastiCache's identifiers: a letter first, no two hyphens in a row, none at the end."""
_WINDOW = r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"
_DAY = r"(mon|tue|wed|thu|fri|sat|sun)"
_WEEKLY = rf"{_DAY}:([01]\d|2[0-3]):[0-5]\d-{_DAY}:([01]\d|2[0-3]):[0-5]\d"
_BUCKET = r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)"
_BALANCER = r"(?!internal-)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?"
_PERCENTILE = r"p\d{1,2}(\.\d{1,10})?|p100|tm\d+|tc\d+|ts\d+|wm\d+|IQM|PR\(.*\)"
_YES = r"true|false"
_GROUP, _HOOK = "aws:autoscaling/group:Group", "aws:autoscaling/lifecycleHook:LifecycleHook"
_BUDGET, _TRAIL = "aws:budgets/budget:Budget", "aws:cloudtrail/trail:Trail"
_LOG, _FILTER = "aws:cloudwatch/logGroup:LogGroup", "aws:cloudwatch/logMetricFilter:LogMetricFilter"
_ALARM, _FLOW = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:ec2/flowLog:FlowLog"
_TEMPLATE, _SG = "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/securityGroup:SecurityGroup"
_IN, _OUT = (
    f"aws:vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule" for kind in ("Ingress", "Egress")
)  # fmt: skip
_SUBNET, _VPC, _ROUTE = "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc", "aws:ec2/route:Route"
_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
_CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
_CACHE_GROUP = "aws:elasticache/parameterGroup:ParameterGroup"
_CACHE_NET = "aws:elasticache/subnetGroup:SubnetGroup"
_ROLE, _POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
_ATTACHED, _PROFILE = (
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:iam/instanceProfile:InstanceProfile",
)  # fmt: skip
_KEY, _ALIAS = "aws:kms/key:Key", "aws:kms/alias:Alias"
_LISTENER, _RULE = "aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule"
_LB, _TARGETS = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup"
_TRUST = "aws:lb/trustStore:TrustStore"
_DB, _DB_GROUP = "aws:rds/instance:Instance", "aws:rds/parameterGroup:ParameterGroup"
_PROXY, _DB_NET = "aws:rds/proxy:Proxy", "aws:rds/subnetGroup:SubnetGroup"
_POOL = "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup"
_TARGET = "aws:rds/proxyTarget:ProxyTarget"
_S3, _CORS = "aws:s3/bucket:Bucket", "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
_LIFE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
_OBJECT, _BUCKET_POLICY = "aws:s3/bucketObjectv2:BucketObjectv2", "aws:s3/bucketPolicy:BucketPolicy"
_SECRET, _SECRET_POLICY = "aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretPolicy:SecretPolicy"
_SES = "aws:sesv2/configurationSet:ConfigurationSet"
_EVENTS = "aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination"
_IDENTITY = "aws:sesv2/emailIdentity:EmailIdentity"
_FROM = "aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes"
_TOPIC, _TOPIC_POLICY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"
_MAIL = "aws:sns/topicSubscription:TopicSubscription"
_DOCUMENT = "documents.py judges policies"
_ELSEWHERE = "agreement: it is the name of another resource of the stack"
_ENGINE = "an engine, class or version is judged by slipway/settings/aws_offered.py"

ROWS = (
    # Auto Scaling
    Row(_GROUP, "name", "AutoScalingGroupName"),
    Row(_GROUP, "launchTemplate.id", "LaunchTemplateId"),
    Row(_GROUP, "enabledMetrics", form="Group[A-Za-z]+", most=64,
        source=f"{API}autoscaling/ec2/APIReference/API_EnableMetricsCollection.html"),
    Row(_GROUP, "metricsGranularity", form="1Minute",
        source=f"{API}autoscaling/ec2/APIReference/API_EnableMetricsCollection.html"),
    Row(_GROUP, "instanceRefresh.strategy", "autoscaling.StartInstanceRefresh/Strategy"),
    Row(_GROUP, "instanceRefresh.preferences", "autoscaling.StartInstanceRefresh/Preferences"),
    Row(_GROUP, "maxInstanceLifetime", least=86_400, most=31_536_000,
        source=f"{API}autoscaling/ec2/userguide/asg-max-instance-lifetime.html"),
    Row(_GROUP, "instanceMaintenancePolicy.maxHealthyPercentage", least=100, most=200,
        source=f"{API}autoscaling/ec2/APIReference/API_InstanceMaintenancePolicy.html"),
    Row(_GROUP, "healthCheckType", form="EC2|ELB|VPC_LATTICE|EBS",
        source=f"{API}autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html"),
    Row(_GROUP, "terminationPolicies",
        form="Default|AllocationStrategy|ClosestToNextInstanceHour|NewestInstance|OldestInstance"
        "|OldestLaunchConfiguration|OldestLaunchTemplate",
        source=f"{API}autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html"),
    Row("aws:autoscaling/policy:Policy", "policyType",
        form="SimpleScaling|StepScaling|TargetTrackingScaling|PredictiveScaling",
        source=f"{API}autoscaling/ec2/APIReference/API_PutScalingPolicy.html"),
    Row(_HOOK, "name", "LifecycleHookName"),
    Row(_HOOK, "defaultResult", form="CONTINUE|ABANDON",
        source=f"{API}autoscaling/ec2/APIReference/API_PutLifecycleHook.html"),
    Row(_HOOK, "lifecycleTransition", form="autoscaling:EC2_INSTANCE_(LAUNCHING|TERMINATING)",
        source=f"{API}autoscaling/ec2/APIReference/API_PutLifecycleHook.html"),
    Row(_HOOK, "heartbeatTimeout", least=30, most=7200,
        source=f"{API}autoscaling/ec2/APIReference/API_PutLifecycleHook.html"),
    # Budgets, CloudTrail, CloudWatch
    Row(_BUDGET, "name", "BudgetName"),
    Row(_BUDGET, "limitAmount", "budgets.CreateBudget/Budget/BudgetLimit/Amount"),
    Row(_BUDGET, "limitUnit", "budgets.CreateBudget/Budget/BudgetLimit/Unit", form="USD"),
    Row(_BUDGET, "notifications", "budgets.CreateBudget/NotificationsWithSubscribers/Notification"),
    Row(_BUDGET, "notifications.subscriberSnsTopicArns",
        "budgets.CreateBudget/NotificationsWithSubscribers/Subscribers/Address"),
    Row(_BUDGET, "notifications.subscriberEmailAddresses",
        "budgets.CreateBudget/NotificationsWithSubscribers/Subscribers/Address",
        form=r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    Row(_TRAIL, "name", form=r"[a-zA-Z0-9](?!.*[._-]{2})[a-zA-Z0-9._-]{1,126}[a-zA-Z0-9]",
        source=f"{API}awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html"),
    Row(_TRAIL, "s3BucketName", form=_BUCKET, source=f"{BUCKETS}userguide/bucketnamingrules.html"),
    Row(_LOG, "name", "LogGroupName"),
    Row(_LOG, "retentionInDays",
        form="1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1096|1827|2192|2557|2922|3288|3653",
        source=f"{API}AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"),
    Row(_FILTER, "name", "FilterName"),
    Row(_FILTER, "pattern", "FilterPattern"),
    Row(_FILTER, "metricTransformation", "MetricTransformations"),
    Row(_FILTER, "metricTransformation.name", "MetricName"),
    Row(_FILTER, "metricTransformation.namespace", "MetricNamespace"),
    Row(_FILTER, "metricTransformation.value", "MetricValue"),
    Row(_FILTER, "metricTransformation.defaultValue", form=r"\d+(\.\d+)?",
        source=f"{API}AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html"),
    Row(_ALARM, "name", "AlarmName"),
    Row(_ALARM, "dimensions", free="agreement: against the metrics that services publish"),
    Row(_ALARM, "metricQueries", "Metrics"),
    Row(_ALARM, "metricQueries.metric", "MetricStat"),
    Row(_ALARM, "metricQueries.metric.namespace", "cloudwatch.PutMetricAlarm/Namespace"),
    Row(_ALARM, "metricQueries.metric.metricName", "cloudwatch.PutMetricAlarm/MetricName"),
    Row(_ALARM, "metricQueries.metric.dimensions", free="agreement: as above"),
    Row(_ALARM, "metricQueries.metric.stat", form=rf"SampleCount|Average|Sum|Minimum|Maximum|{_PERCENTILE}",
        source=f"{API}AmazonCloudWatch/latest/APIReference/API_MetricStat.html"),
    Row(_ALARM, "metricQueries.label", most=256,
        source=f"{API}AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"),
    Row(_ALARM, "extendedStatistic", form=_PERCENTILE,
        source=f"{API}AmazonCloudWatch/latest/monitoring/Statistics-definitions.html"),
    Row(_ALARM, "period", form=r"10|20|30|[1-9]\d*",
        source=f"{API}AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"),
    Row(_ALARM, "treatMissingData", form="breaching|notBreaching|ignore|missing",
        source=f"{API}AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"),
    Row(_ALARM, "evaluateLowSampleCountPercentiles", form="evaluate|ignore",
        source=f"{API}AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"),
    # EC2: its models have hardly a pattern
    Row(_FLOW, "iamRoleArn", "DeliverLogsPermissionArn"),
    Row(_FLOW, "vpcId", "ResourceIds"),
    Row(_FLOW, "maxAggregationInterval", form="60|600", source=f"{EC2}API_CreateFlowLogs.html"),
    Row(_SG, "description", form=_TEXT, most=255, source=f"{EC2}API_CreateSecurityGroup.html"),
    *(Row(rule, "description", form=_TEXT, most=255,
        source=f"{EC2}API_IpRange.html") for rule in (_IN, _OUT)),
    *(Row(rule, "cidrIpv4", form=_CIDR, source=f"{EC2}API_IpRange.html") for rule in (_IN, _OUT)),
    *(Row(rule, "cidrIpv6", form=r"[0-9a-f:]+/\d{1,3}",
        source=f"{EC2}API_Ipv6Range.html") for rule in (_IN, _OUT)),
    *(Row(rule, port, least=-1, most=65_535, source=f"{EC2}API_IpPermission.html")
      for rule in (_IN, _OUT) for port in ("fromPort", "toPort")),
    *(Row(rule, "ipProtocol", form=r"-1|tcp|udp|icmp|icmpv6|\d{1,3}", source=f"{EC2}API_IpPermission.html")
      for rule in (_IN, _OUT)),
    *(Row(rule, name, "GroupId") for rule in (_IN, _OUT)
      for name in ("securityGroupId", "referencedSecurityGroupId")),
    Row(_TEMPLATE, "name", "LaunchTemplateName"),
    Row(_TEMPLATE, "description", "VersionDescription"),
    Row(_TEMPLATE, "networkInterfaces.securityGroups", "Groups"),
    Row(_TEMPLATE, "tagSpecifications.tags", free="tags: judged with all tags"),
    Row(_TEMPLATE, "imageId", form=r"ami-([0-9a-f]{8}|[0-9a-f]{17})|resolve:ssm:/?[A-Za-z0-9_.\-/:]+",
        source=f"{EC2}API_RequestLaunchTemplateData.html"),
    Row(_TEMPLATE, "userData", form=r"[A-Za-z0-9+/]*={0,2}",
        source=f"{API}AWSEC2/latest/UserGuide/user-data.html"),
    Row(_TEMPLATE, "blockDeviceMappings.deviceName", form=r"/dev/(sd|xvd)[a-z]\d*|xvd[a-z]{1,2}",
        source=f"{API}AWSEC2/latest/UserGuide/device_naming.html"),
    Row(_TEMPLATE, "blockDeviceMappings.ebs.volumeSize", least=1, most=65_536,
        source=f"{API}ebs/latest/userguide/ebs-volume-types.html"),
    Row(_TEMPLATE, "metadataOptions.httpPutResponseHopLimit", least=1, most=64,
        source=f"{EC2}API_LaunchTemplateInstanceMetadataOptionsRequest.html"),
    *(Row(_TEMPLATE, path, form=_YES, source="the provider's texts for yes and no") for path in (
        "blockDeviceMappings.ebs.deleteOnTermination", "blockDeviceMappings.ebs.encrypted", "ebsOptimized",
        "networkInterfaces.associatePublicIpAddress", "networkInterfaces.deleteOnTermination")),
    Row(_ROUTE, "destinationCidrBlock", form=_CIDR, source=f"{EC2}API_CreateRoute.html"),
    Row(_SUBNET, "cidrBlock", form=r"(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-8])",
        source=f"{EC2}API_CreateSubnet.html"),
    Row(_SUBNET, "availabilityZoneId", form=r"[a-z]{2,6}\d-az\d{1,2}",
        source=f"{API}global-infrastructure/latest/regions/aws-availability-zones.html"),
    Row(_VPC, "cidrBlock", form=r"(\d{1,3}\.){3}\d{1,3}/(1[6-9]|2[0-8])", source=f"{EC2}API_CreateVpc.html"),
    Row(_ENDPOINT, "serviceName", free="agreement: the services of the stack's own region"),
    # ElastiCache
    Row(_CACHE_GROUP, "name", "CacheParameterGroupName", form=_HYPHENS, most=255,
        source=f"{REDIS}API_CreateCacheParameterGroup.html"),
    Row(_CACHE_GROUP, "family", "CacheParameterGroupFamily", form=r"redis(6\.x|7)|valkey[78]",
        source=f"{REDIS}API_CreateCacheParameterGroup.html"),
    Row(_CACHE_GROUP, "description", least=1, most=255, source=f"{REDIS}API_CreateCacheParameterGroup.html"),
    Row(_CACHE_GROUP, "parameters", "ParameterNameValues"),
    Row(_CACHE_GROUP, "parameters.name", free="agreement: the engine's parameters"),
    Row(_CACHE_GROUP, "parameters.value", free="agreement: the engine's parameters"),
    Row(_CACHE, "description", "ReplicationGroupDescription", least=1, most=255,
        source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "replicationGroupId", form=_HYPHENS, least=1, most=40,
        source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "engine", form="redis|valkey", source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "engineVersion", form=r"[5-8]\.\d+(\.\d+)?",
        source=f"{API}AmazonElastiCache/latest/dg/supported-engine-versions.html"),
    Row(_CACHE, "nodeType", "CacheNodeType", free=_ENGINE),
    Row(_CACHE, "finalSnapshotIdentifier", form=_HYPHENS, most=255, source=f"{REDIS}API_CreateSnapshot.html"),
    Row(_CACHE, "maintenanceWindow", "PreferredMaintenanceWindow", form=_WEEKLY,
        source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "snapshotWindow", form=_WINDOW, source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "parameterGroupName", "CacheParameterGroupName", free=_ELSEWHERE),
    Row(_CACHE, "subnetGroupName", "CacheSubnetGroupName", free=_ELSEWHERE),
    Row(_CACHE, "snapshotRetentionLimit", least=0, most=35,
        source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "numCacheClusters", least=1, most=6, source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "replicasPerNodeGroup", least=0, most=5, source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "port", least=1, most=65_535, source=f"{REDIS}API_CreateReplicationGroup.html"),
    Row(_CACHE, "logDeliveryConfigurations.destination", free=_ELSEWHERE),
    Row(_CACHE_NET, "name", "CacheSubnetGroupName", form=r"[a-z0-9-]+", most=255,
        source=f"{REDIS}API_CreateCacheSubnetGroup.html"),
    Row(_CACHE_NET, "description", "CacheSubnetGroupDescription", free="the provider's own"),
    # IAM and KMS
    Row(_PROFILE, "name", "InstanceProfileName"),
    Row(_PROFILE, "role", "RoleName"),
    Row(_ROLE, "name", "RoleName"),
    Row(_ROLE, "assumeRolePolicy", "AssumeRolePolicyDocument"),
    Row(_ROLE, "tags", free="tags: judged with all tags"),
    Row(_POLICY, "name", "PolicyName"),
    Row(_POLICY, "role", "RoleName"),
    Row(_POLICY, "policy", "PolicyDocument", most=10_240,
        source=f"{API}IAM/latest/UserGuide/reference_iam-quotas.html"),
    Row(_ATTACHED, "role", "RoleName"),
    Row(_ALIAS, "name", "AliasName", form=r"alias/(?!aws/)[a-zA-Z0-9/_-]+",
        source=f"{API}kms/latest/APIReference/API_CreateAlias.html"),
    Row(_KEY, "deletionWindowInDays", "PendingWindowInDays", least=7, most=30,
        source=f"{API}kms/latest/APIReference/API_ScheduleKeyDeletion.html"),
    # Load balancer
    *(Row(each, "name", form=_BALANCER,
        source=f"{ELB}API_CreateLoadBalancer.html") for each in (_LB, _TARGETS, _TRUST)),
    Row(_LB, "idleTimeout", least=1, most=4000,
        source=f"{API}elasticloadbalancing/latest/application/edit-load-balancer-attributes.html"),
    Row(_LB, "loadBalancerType", "Type"),
    Row(_LB, "desyncMitigationMode", form="monitor|defensive|strictest",
        source=f"{ELB}API_LoadBalancerAttribute.html"),
    Row(_LB, "xffHeaderProcessingMode", form="append|preserve|remove",
        source=f"{ELB}API_LoadBalancerAttribute.html"),
    *(Row(_LB, f"{logs}.{key}", form=form, source=f"{ELB}API_LoadBalancerAttribute.html")
      for logs in ("accessLogs", "connectionLogs")
      for key, form in (("bucket", _BUCKET), ("prefix", r"(?!.*AWSLogs)[A-Za-z0-9._/-]*[A-Za-z0-9._-]"))),
    Row(_TARGETS, "protocolVersion", form="HTTP1|HTTP2|GRPC", source=f"{ELB}API_CreateTargetGroup.html"),
    Row(_TARGETS, "deregistrationDelay", least=0, most=3600, source=f"{ELB}API_TargetGroupAttribute.html"),
    Row(_TARGETS, "slowStart", form=r"0|[3-9]\d|[1-8]\d\d|900", source=f"{ELB}API_TargetGroupAttribute.html"),
    Row(_TARGETS, "loadBalancingAlgorithmType",
        form="round_robin|least_outstanding_requests|weighted_random",
            source=f"{ELB}API_TargetGroupAttribute.html"),
    Row(_TARGETS, "loadBalancingCrossZoneEnabled", form="true|false|use_load_balancer_configuration",
        source=f"{ELB}API_TargetGroupAttribute.html"),
    Row(_TARGETS, "stickiness.type", form="lb_cookie|app_cookie",
        source=f"{ELB}API_TargetGroupAttribute.html"),
    Row(_TARGETS, "stickiness.cookieDuration", least=1, most=604_800,
        source=f"{ELB}API_TargetGroupAttribute.html"),
    *(Row(_TARGETS, f"healthCheck.{key}", member) for key, member in (
        ("path", "HealthCheckPath"), ("protocol", "HealthCheckProtocol"), ("port", "HealthCheckPort"),
        ("interval", "HealthCheckIntervalSeconds"), ("timeout", "HealthCheckTimeoutSeconds"),
        ("healthyThreshold", "HealthyThresholdCount"), ("unhealthyThreshold", "UnhealthyThresholdCount"))),
    Row(_TARGETS, "healthCheck.matcher", form=r"[2-4]\d\d([-,][2-4]\d\d)*", source=f"{ELB}API_Matcher.html"),
    Row(_LISTENER, "certificateArn", "Certificates/CertificateArn"),
    Row(_LISTENER, "sslPolicy", form=r"ELBSecurityPolicy-(TLS13-1-[0-3]-(2021-06|Res-2021-06|Ext[12]-2021-06"
        r"|FIPS-2023-04|Res-FIPS-2023-04|Ext[012]-FIPS-2023-04|PQ-2025-09|Res-PQ-2025-09)|TLS13-1-3-2021-06"
        r"|FS-1-2-Res-2020-10|FS-1-2-Res-2019-08|FS-1-2-2019-08|TLS-1-2-2017-01|TLS-1-2-Ext-2018-06|2016-08)",
        source=f"{API}elasticloadbalancing/latest/application/describe-ssl-policies.html"),
    Row(_LISTENER, "mutualAuthentication.mode", form="off|verify|passthrough",
        source=f"{ELB}API_MutualAuthenticationAttributes.html"),
    Row(_LISTENER, "defaultActions.redirect", "RedirectConfig"),
    Row(_LISTENER, "routingHttpResponseStrictTransportSecurityHeaderValue",
        form=r"max-age=\d+(; includeSubDomains)?(; preload)?", source=f"{ELB}API_ListenerAttribute.html"),
    Row(_LISTENER, "defaultActions.redirect.port", form=r"#\{port\}|\d{1,5}",
        source=f"{ELB}API_RedirectActionConfig.html"),
    Row(_RULE, "actions.fixedResponse", "FixedResponseConfig"),
    Row(_RULE, "conditions.pathPattern", "PathPatternConfig"),
    Row(_RULE, "conditions.pathPattern.values", form=r"[A-Za-z0-9_\-.$/~\"'@:+&*?]+", most=128,
        source=f"{API}elasticloadbalancing/latest/application/rule-condition-types.html"),
    Row(_TRUST, "caCertificatesBundleS3Bucket", form=_BUCKET,
        source=f"{BUCKETS}userguide/bucketnamingrules.html"),
    Row(_TRUST, "caCertificatesBundleS3Key", least=1, most=1024, source=f"{ELB}API_CreateTrustStore.html"),
    # RDS
    Row(_DB, "identifier", "DBInstanceIdentifier", form=_HYPHENS, most=63,
        source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "dbName", form=r"[a-zA-Z_][a-zA-Z0-9_]*", most=63, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "username", "MasterUsername",
        form=r"(?!(admin|rdsadmin|rdsrepladmin|rdstopmgr|pg_.*)$)[a-zA-Z][a-zA-Z0-9_]*",
        most=63, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "engine", free=_ENGINE),
    Row(_DB, "engineVersion", free=_ENGINE),
    Row(_DB, "instanceClass", "DBInstanceClass", free=_ENGINE),
    Row(_DB, "dbSubnetGroupName", free=_ELSEWHERE),
    Row(_DB, "parameterGroupName", "DBParameterGroupName", free=_ELSEWHERE),
    Row(_DB, "storageType", form="gp2|gp3|io1|io2|standard", source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "allocatedStorage", least=20, most=65_536, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "maxAllocatedStorage", least=20, most=65_536, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "backupRetentionPeriod", least=0, most=35, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "monitoringInterval", form="0|1|5|10|15|30|60", source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "port", least=1150, most=65_535, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "performanceInsightsRetentionPeriod",
        form="|".join(str(days) for days in (7, *(31 * months for months in range(1, 24)), 731)),
        source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "backupWindow", "PreferredBackupWindow", form=_WINDOW, source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "maintenanceWindow", "PreferredMaintenanceWindow", form=_WEEKLY,
        source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "caCertIdentifier", "CACertificateIdentifier", form=r"rds-ca-(rsa2048|rsa4096|ecc384)-g1",
        source=f"{API}AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"),
    Row(_DB, "enabledCloudwatchLogsExports", "EnableCloudwatchLogsExports",
        form="postgresql|upgrade|iam-db-auth-error",
        source=f"{RDS}API_CreateDBInstance.html"),
    Row(_DB, "finalSnapshotIdentifier", "FinalDBSnapshotIdentifier", form=_HYPHENS, most=255,
        source=f"{RDS}API_DeleteDBInstance.html"),
    Row(_DB_GROUP, "name", "DBParameterGroupName", form=_HYPHENS, most=255,
        source=f"{RDS}API_CreateDBParameterGroup.html"),
    Row(_DB_GROUP, "family", "DBParameterGroupFamily", form=r"postgres\d{2}",
        source=f"{RDS}API_CreateDBParameterGroup.html"),
    Row(_DB_GROUP, "description", least=1, most=255, source=f"{RDS}API_CreateDBParameterGroup.html"),
    Row(_DB_GROUP, "parameters.name", free="agreement: the engine's parameters"),
    Row(_DB_GROUP, "parameters.value", free="agreement: the engine's parameters"),
    Row(_DB_NET, "name", "DBSubnetGroupName", form=r"(?!default$)[a-z0-9._ -]+", most=255,
        source=f"{RDS}API_CreateDBSubnetGroup.html"),
    Row(_DB_NET, "description", "DBSubnetGroupDescription", free="the provider's own"),
    Row(_PROXY, "name", "DBProxyName", form=_HYPHENS, source=f"{RDS}API_CreateDBProxy.html"),
    Row(_PROXY, "idleClientTimeout", least=60, most=28_800, source=f"{RDS}API_CreateDBProxy.html"),
    Row(_POOL, "connectionPoolConfig.maxConnectionsPercent",
        least=1, most=100, source=f"{RDS}API_ConnectionPoolConfiguration.html"),
    Row(_POOL, "connectionPoolConfig.maxIdleConnectionsPercent",
        least=0, most=100, source=f"{RDS}API_ConnectionPoolConfiguration.html"),
    Row(_POOL, "connectionPoolConfig.connectionBorrowTimeout",
        least=0, most=300, source=f"{RDS}API_ConnectionPoolConfiguration.html"),
    Row(_TARGET, "dbInstanceIdentifier", "DBInstanceIdentifiers", free=_ELSEWHERE),
    # S3
    *(Row(each, "bucket", form=_BUCKET, source=f"{BUCKETS}userguide/bucketnamingrules.html")
      for each in (_S3, _CORS, _OBJECT)),
    Row(_CORS, "corsRules.allowedMethods", form="GET|PUT|HEAD|POST|DELETE",
        source=f"{BUCKETS}API/API_CORSRule.html"),
    Row(_CORS, "corsRules.allowedHeaders", form=r"[a-z0-9*-]+", source=f"{BUCKETS}API/API_CORSRule.html"),
    Row(_CORS, "corsRules.exposeHeaders", form=r"[a-zA-Z0-9-]+", source=f"{BUCKETS}API/API_CORSRule.html"),
    Row(_CORS, "corsRules.allowedOrigins", form=r"https?://[^*\s/]+|https://\*\.[^*\s/]+",
        source=f"{BUCKETS}API/API_CORSRule.html"),
    Row(_LIFE, "rules.filter.prefix", most=1024, source=f"{BUCKETS}userguide/object-keys.html"),
    Row(_LIFE, "rules.id", most=255, source=f"{BUCKETS}API/API_LifecycleRule.html"),
    *(Row(_LIFE, f"rules.{path}", least=1, source=f"{BUCKETS}API/API_LifecycleRule.html") for path in (
        "expiration.days", "noncurrentVersionExpiration.noncurrentDays",
        "abortIncompleteMultipartUpload.daysAfterInitiation")),
    Row(_OBJECT, "key", most=1024, source=f"{BUCKETS}userguide/object-keys.html"),
    Row(_OBJECT, "contentType", form=r"[a-z]+/[a-z0-9.+-]+", source=f"{BUCKETS}API/API_PutObject.html"),
    Row(_OBJECT, "content", free="any bytes"),
    Row(_BUCKET_POLICY, "policy", most=20_480, source=f"{BUCKETS}userguide/bucket-policies.html"),
    # Secrets Manager, SES, SNS, SSM
    Row(_SECRET, "recoveryWindowInDays", form=r"0|[7-9]|[12]\d|30",
        source=f"{API}secretsmanager/latest/apireference/API_DeleteSecret.html"),
    Row(_SECRET_POLICY, "secretArn", "SecretId"),
    Row(_SECRET_POLICY, "policy", "ResourcePolicy"),
    *(Row(each, "configurationSetName", form=r"[A-Za-z0-9_-]{1,64}",
          source=f"{API}ses/latest/APIReference-V2/API_CreateConfigurationSet.html")
      for each in (_SES, _EVENTS, _IDENTITY)),
    Row(_EVENTS, "eventDestinationName", form=r"[A-Za-z0-9_-]{1,64}",
        source=f"{API}ses/latest/APIReference-V2/API_CreateConfigurationSetEventDestination.html"),
    Row(_FROM, "emailIdentity", form=r"([a-z0-9-]+\.)+[a-z]{2,}",
        source=f"{API}ses/latest/APIReference-V2/API_PutEmailIdentityMailFromAttributes.html"),
    Row(_FROM, "mailFromDomain", form=r"([a-z0-9-]+\.){2,}[a-z]{2,}",
        source=f"{API}ses/latest/APIReference-V2/API_PutEmailIdentityMailFromAttributes.html"),
    Row(_IDENTITY, "emailIdentity", form=r"([a-z0-9-]+\.)+[a-z]{2,}|[^@\s]+@[^@\s]+",
        source=f"{API}ses/latest/APIReference-V2/API_CreateEmailIdentity.html"),
    Row(_TOPIC, "name", form=r"[A-Za-z0-9_-]{1,256}", source=f"{API}sns/latest/api/API_CreateTopic.html"),
    Row(_TOPIC, "kmsMasterKeyId", "sns.SetTopicAttributes/AttributeValue"),
    Row(_TOPIC_POLICY, "arn", "TopicArn"),
    Row(_TOPIC_POLICY, "policy", free=_DOCUMENT),
    Row(_MAIL, "topic", "TopicArn"),
    Row(_MAIL, "protocol", form="email|email-json|sms|sqs|lambda|https?|firehose|application",
        source=f"{API}sns/latest/api/API_Subscribe.html"),
    Row(_MAIL, "endpoint", form=r"[^@\s]+@[^@\s]+\.[^@\s]+|arn:.*|https?://.*",
        source=f"{API}sns/latest/api/API_Subscribe.html"),
    Row("aws:route53/record:Record", "records", "route53.ChangeResourceRecordSets/ChangeBatch/Changes/"
        "ResourceRecordSet/ResourceRecords/Value"),
    Row("aws:route53/record:Record", "zoneId", form=r"[A-Z0-9]{1,32}",
        source=f"{API}Route53/latest/APIReference/API_ChangeResourceRecordSets.html"),
    Row("aws:ssm/parameter:Parameter", "value", most=4096,
        source=f"{API}systems-manager/latest/APIReference/API_PutParameter.html"),
)  # fmt: skip

"""Controls on the account: providers, network, hosts, IAM, logs and alarms."""

from slipway.settings.controls import tokens as on
from slipway.settings.controls.control import (
    AtLeast,
    Control,
    Empty,
    Entries,
    Is,
    Matches,
    NotEmpty,
    OneOf,
    Section,
)

PROVIDER = Section("Account and provider", ("infra/aws/program.py",), (
    Control(
        "provider-one-account", ("I7",), "critical",
        "A stack is made in the account it names and in no other.",
        on=(on.PROVIDER,), path="allowedAccountIds", holds=NotEmpty(), setting="account",
    ),
    Control(
        "provider-default-tags", ("I8",), "medium", "Every resource carries the stack's tags.",
        on=(on.PROVIDER,), path="defaultTags", holds=Matches("slipway:", "the stack's tags"),
    ),
    Control(
        "provider-explicit", ("I7",), "high",
        "Every resource is made by a provider that the program names, not by one of the environment's.",
        on=(on.EVERYTHING,), path="provider", remedy="pass the stack's provider down: providers=[…]",
    ),
    Control(
        "region-by-provider", ("I1",), "medium", "Only the provider decides in which region a resource is.",
        on=(on.EVERYTHING,), path="region", remedy="remove region: changing it replaces the resource",
    ),
    Control(
        "nothing-deprecated", ("I1",), "low", "No resource type is deprecated by its provider (no *V2).",
        on=(on.EVERYTHING,), path="type", remedy="use the resource's successor",
    ),
))  # fmt: skip

NETWORK = Section("Network", ("infra/aws/network.py", "infra/aws/security_groups.py", "infra/aws/audit.py"), (
    Control(
        "vpc-flow-log", ("EC2.6",), "medium", "Every VPC logs its connections.",
        on=(on.VPC,), path="FlowLog", remedy="give the VPC a FlowLog",
    ),
    Control(
        "flow-log-of-all-traffic", ("EC2.6",), "medium", "The FlowLog records rejected connections.",
        on=(on.FLOW_LOG,), path="trafficType", holds=OneOf(("ALL", "REJECT")),
    ),
    Control(
        "vpc-default-group-empty", ("EC2.2",), "high",
        "The VPC's default security group has no rules (DefaultSecurityGroup).",
        on=(on.VPC,), path="DefaultSecurityGroup",
        remedy="adopt it with ec2.DefaultSecurityGroup, without rules",
    ),
    Control(
        "security-group-rules-apart", ("I1",), "medium",
        "Each rule of a security group is a SecurityGroupIngressRule or SecurityGroupEgressRule.",
        on=(on.SECURITY_GROUP, on.SECURITY_GROUP_RULE), path="ingress and egress",
        remedy="use vpc.SecurityGroupIngressRule and EgressRule: inline rules conflict (pulumi-eks#1031)",
    ),
    Control(
        "security-group-open-ports",
        ("EC2.13", "EC2.14", "EC2.18", "EC2.19", "EC2.53", "EC2.54", "I1"), "critical",
        "The internet reaches the load balancer only; behind Cloudflare, only Cloudflare reaches it.",
        on=(on.INGRESS_RULE,), path="cidrIpv4 and cidrIpv6",
        remedy="allow a security group or known ranges; open to the internet are the load balancer's ports 80"
        " and 443 only",
    ),
    Control(
        "subnet-gives-no-public-address", ("EC2.15",), "medium",
        "Nothing is given a public address when it starts.",
        on=(on.SUBNET,), path="mapPublicIpOnLaunch", holds=Empty(), absent=True,
        remedy="set map_public_ip_on_launch to false, or remove it",
    ),
))  # fmt: skip

HOSTS = Section("Hosts", ("infra/aws/launch_template.py", "infra/aws/compute.py"), (
    Control(
        "hosts-imdsv2", ("EC2.8", "EC2.170"), "high",
        "A host's credentials are given to IMDSv2 sessions only (metadata_options).",
        on=(on.LAUNCH_TEMPLATE,), path="metadataOptions.httpTokens", holds=Is("required"),
    ),
    Control(
        "hosts-imds-one-hop", ("AutoScaling.4", "EC2.8"), "medium",
        "A host's credentials cannot be read from another machine.",
        on=(on.LAUNCH_TEMPLATE,), path="metadataOptions.httpPutResponseHopLimit", holds=Is(1),
    ),
    Control(
        "hosts-no-key-pair", ("I7",), "high", "Hosts have no static ssh key.",
        on=(on.LAUNCH_TEMPLATE,), path="keyName", holds=Empty(), absent=True,
    ),
    Control(
        "hosts-have-no-public-address", ("EC2.25", "AutoScaling.5", "I7"), "high",
        "Hosts have no public address.",
        on=(on.LAUNCH_TEMPLATE,), path="networkInterfaces",
        remedy="set associate_public_ip_address to false: operators use Session Manager",
    ),
    Control(
        "hosts-disks-encrypted", ("EC2.3", "EC2.7"), "high", "Every disk of a host is encrypted (EBS).",
        on=(on.LAUNCH_TEMPLATE,), path="blockDeviceMappings",
        remedy="set ebs.encrypted on every block device",
    ),
    Control(
        "hosts-at-least-two", ("I1",), "high", "Production has at least two web hosts.",
        setting="web.min", demands=AtLeast(2), risk="the site would be down whenever its one host fails",
    ),
    Control(
        "hosts-replaced-when-unhealthy", ("AutoScaling.1", "I3"), "medium",
        "Web hosts that fail the readiness check are replaced.",
        on=(on.SCALING_GROUP,), path="healthCheckType", holds=Is("ELB"),
        when=("targetGroupArns", NotEmpty()),
    ),
    Control(
        "hosts-in-two-zones", ("AutoScaling.2", "I1"), "medium", "Hosts are in at least two zones.",
        on=(on.SCALING_GROUP,), path="vpcZoneIdentifiers", holds=Entries(2), setting="network.zones",
    ),
    Control(
        "hosts-refreshed-one-by-one", ("S5", "I3"), "medium",
        "Replacing hosts leaves nearly all of them in service.",
        on=(on.SCALING_GROUP,), path="instanceRefresh.preferences.minHealthyPercentage", holds=AtLeast(90),
    ),
))  # fmt: skip

IAM = Section(
    "IAM",
    ("infra/aws/iam/roles.py", "infra/aws/iam/host_policies.py", "infra/aws/iam/release_policies.py"), (
    Control(
        "no-users", ("IAM.2", "IAM.3", "I7"), "high", "There are no IAM users and no access keys.",
        on=(on.IAM_USER, on.IAM_ACCESS_KEY), remedy="use roles: they have no key to lose or to rotate",
    ),
    Control(
        "policies-without-wildcards", ("IAM.1", "IAM.21", "KMS.1", "I7"), "high",
        "A role's IAM policy allows named actions on named resources.",
        on=(on.IAM_ROLE_POLICY, on.IAM_POLICY), path="policy",
        remedy="name the actions and the ARNs of their resources",
    ),
    Control(
        "no-sweeping-managed-policies", ("IAM.1", "I7"), "high",
        "No role has one of AWS's managed policies for the whole account.",
        on=(on.IAM_ATTACHMENT,), path="policyArn", remedy="write an IAM policy of what the role needs",
    ),
    Control(
        "github-trusted-exactly", ("I7", "I8"), "critical",
        "A role trusts exact principals; of GitHub's OpenIdConnectProvider, one environment of a repository.",
        on=(on.IAM_ROLE,), path="assumeRolePolicy", setting="github.repository",
        remedy="StringEquals on both sub (repository and environment) and aud",
    ),
    Control(
        "names-of-this-stack", ("I8",), "critical",
        "The name of whatever keeps data or secrets contains its stack's, so that stacks share nothing.",
        on=(on.SECRET, on.KEY_ALIAS, on.BUCKET), path="name",
        remedy="take names from AwsNames: they contain project and stack",
    ),
    Control(
        "policies-of-this-stack", ("I8",), "critical",
        "No role of a stack may read another stack's secrets.",
        on=(on.IAM_ROLE_POLICY, on.IAM_POLICY), path="policy",
        remedy="allow a role its own stack's secrets only",
    ),
))  # fmt: skip

WATCHING = Section(
    "Logs and alarms",
    ("infra/aws/alarms.py", "infra/aws/audit.py", "infra/aws/mail.py", "infra/aws/budget.py"), (
    Control(
        "trail-everywhere", ("CloudTrail.1",), "high", "The trail covers every region.",
        on=(on.TRAIL,), path="isMultiRegionTrail", holds=Is(value=True), setting="audit",
    ),
    Control(
        "trail-validated", ("CloudTrail.4",), "medium", "A forged trail can be detected.",
        on=(on.TRAIL,), path="enableLogFileValidation", holds=Is(value=True),
    ),
    Control(
        "logs-end", ("CloudWatch.16", "I11"), "low", "Logs have a retention period.",
        on=(on.LOG_GROUP,), path="retentionInDays", holds=AtLeast(1), setting="load_balancer.log_days",
    ),
    Control(
        "alarms-tell", ("CloudWatch.15", "I10"), "high", "Every alarm notifies somebody.",
        on=(on.ALARM,), path="alarmActions", holds=NotEmpty(),
    ),
    Control(
        "alarms-mind-silence", ("I10",), "low", "Every alarm defines what missing data means.",
        on=(on.ALARM,), path="treatMissingData", holds=OneOf(("breaching", "notBreaching", "missing")),
    ),
    Control(
        "topic-encrypted", ("SNS.1", "I10"), "low", "Notifications are encrypted at rest.",
        on=(on.TOPIC,), path="kmsMasterKeyId", holds=NotEmpty(),
    ),
    Control(
        "mail-by-tls", ("SES.3", "P7"), "medium", "Mail is delivered over TLS or not at all.",
        on=(on.MAIL,), path="deliveryOptions.tlsPolicy", holds=Is("REQUIRE"),
    ),
    Control(
        "budget-tells", ("I10",), "low", "The budget notifies somebody.",
        on=(on.BUDGET,), path="notifications", holds=NotEmpty(), setting="budget.monthly_usd",
    ),
))  # fmt: skip

ACCOUNT = (PROVIDER, NETWORK, HOSTS, IAM, WATCHING)

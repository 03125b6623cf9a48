"""The providers' SDK, read by introspection: classes, their outputs, and Terraform's names for them."""

import importlib
import re
import typing
from functools import cache
from typing import Any

PACKAGES = {"aws": "pulumi_aws", "cloudflare": "pulumi_cloudflare"}
_MODULES = {"lambda": "lambda_", "import": "import_"}


@cache
def resource_class(token: str) -> type | None:
    """The SDK's class for `aws:lb/listener:Listener`; None for components, providers and other packages."""
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    if package not in PACKAGES or "/" not in module:
        return None
    folder = module.split("/")[0]
    place = PACKAGES[package] if folder == "index" else f"{PACKAGES[package]}.{_MODULES.get(folder, folder)}"
    found = getattr(importlib.import_module(place), name, None)
    return found if isinstance(found, type) else None


@cache
def declared_outputs(cls: type) -> dict[str, tuple[str, Any]]:
    """By wire name: the Python name and the type inside `Output[…]`, as the class's getters say."""
    names = vars(importlib.import_module(cls.__module__))
    outputs: dict[str, tuple[str, Any]] = {}
    for python_name, getter in vars(cls).items():
        if not isinstance(getter, property) or getter.fget is None:
            continue
        wire_name = getattr(getter.fget, "_pulumi_name", python_name)
        hints = type_hints(getter.fget, names)
        inside = typing.get_args(hints.get("return"))
        outputs[wire_name] = (python_name, inside[0] if inside else Any)
    return outputs


@cache
def declared_fields(cls: type) -> dict[str, tuple[str, Any]]:
    """The same for a nested output type of the SDK, such as `outputs.LoadBalancerAccessLogs`."""
    names = vars(importlib.import_module(cls.__module__))
    fields: dict[str, tuple[str, Any]] = {}
    for python_name, getter in vars(cls).items():
        if isinstance(getter, property) and getter.fget is not None:
            wire_name = getattr(getter.fget, "_pulumi_name", python_name)
            hints = type_hints(getter.fget, names)
            fields[wire_name] = (python_name, hints.get("return", Any))
    return fields


def type_hints(of: Any, names: dict[str, Any]) -> dict[str, Any]:
    """The annotations of `of`, resolved in its own module: several modules use the same names for types.

    `typing` caches how a quoted name was resolved and shares that between equal annotations of different
    modules: rds' ParameterGroupParameterArgs would be docdb's if that was resolved first. A separate dict of
    local names prevents that.
    """
    return typing.get_type_hints(of, globalns=names, localns=dict(names))


EXCEPTIONS = {
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:lb/targetGroup:TargetGroup": "aws_lb_target_group",
    "aws:autoscaling/group:Group": "aws_autoscaling_group",
    "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
    "aws:kms/key:Key": "aws_kms_key",
    "aws:rds/instance:Instance": "aws_db_instance",
    "aws:rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "aws:rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
    "aws:rds/proxy:Proxy": "aws_db_proxy",
    "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": "aws_db_proxy_default_target_group",
    "aws:rds/proxyTarget:ProxyTarget": "aws_db_proxy_target",
    "aws:rds/eventSubscription:EventSubscription": "aws_db_event_subscription",
    "aws:ec2/flowLog:FlowLog": "aws_flow_log",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "aws_iam_openid_connect_provider",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "aws_vpc_security_group_ingress_rule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "aws_vpc_security_group_egress_rule",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "aws_vpc_endpoint",
    "aws:ses/mailFrom:MailFrom": "aws_ses_domain_mail_from",
    "aws:wafv2/webAcl:WebAcl": "aws_wafv2_web_acl",
    "aws:cloudwatch/eventRule:EventRule": "aws_cloudwatch_event_rule",
    "aws:cloudwatch/eventTarget:EventTarget": "aws_cloudwatch_event_target",
    "aws:backup/vault:Vault": "aws_backup_vault",
    "aws:scheduler/schedule:Schedule": "aws_scheduler_schedule",
    "aws:sesv2/emailIdentity:EmailIdentity": "aws_sesv2_email_identity",
    "aws:s3/bucketObjectv2:BucketObjectv2": "aws_s3_object",
}
"""Terraform's types that do not follow the rule, by token. The SDK does not have them."""

MODULES_WITHOUT_PREFIX = {"ec2", "index"}
"""Modules that are not part of Terraform's names: `aws:ec2/subnet:Subnet` is `aws_subnet`."""
MODULES_RENAMED = {"cloudwatch": "cloudwatch", "route53": "route53"}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def terraform_type(token: str) -> str:
    """`aws:lb/listener:Listener` → `aws_lb_listener`; empty for components and providers."""
    if token in EXCEPTIONS:
        return EXCEPTIONS[token]
    parts = token.split(":")
    if len(parts) != 3 or "/" not in parts[1] or parts[0] not in {"aws", "cloudflare", "random", "tls"}:
        return ""
    package, module = parts[0], parts[1].split("/")[0]
    middle = [] if module in MODULES_WITHOUT_PREFIX else [MODULES_RENAMED.get(module, module)]
    return "_".join([package, *middle, snake_case(parts[2])])


def terraform_name(logical_name: str) -> str:
    """The logical name as a valid Terraform name, which starts with a letter or `_`."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", logical_name)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def snake_case(name: str) -> str:
    """`idleTimeout` → `idle_timeout`."""
    return _WORDS.sub("_", name).lower()

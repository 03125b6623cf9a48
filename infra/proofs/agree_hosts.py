"""Agreement of hosts and their door: what the program declares is what code and templates on hosts expect."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hosts.agent.leave import DEREGISTER_SECONDS, HOOK, NOTICE_SECONDS
from hosts.kit.user_data import MAX_BYTES
from infra.policies.reading import at, entries, statements, table, texts, words
from infra.proofs.facts import Facts, Said, allows, services
from infra.proofs.network_map import first
from infra.recording.graph import Resource

_GROUP, _HOOK = "aws:autoscaling/group:Group", "aws:autoscaling/lifecycleHook:LifecycleHook"
_TEMPLATE, _ROLE = "aws:ec2/launchTemplate:LaunchTemplate", "aws:iam/role:Role"
_TARGETS, _LISTENER = "aws:lb/targetGroup:TargetGroup", "aws:lb/listener:Listener"
_RULE, _BUCKET = "aws:lb/listenerRule:ListenerRule", "aws:s3/bucket:Bucket"
_HAPROXY = Path(__file__).parents[2] / "templates" / "haproxy" / "web.cfg.j2"
_ROOTS = {"debian": "/dev/xvda", "ubuntu": "/dev/sda1", "al2023": "/dev/xvda"}
"""Root device of images, by a word of the parameter that names them: another would stay unencrypted."""
_GITHUB = "token.actions.githubusercontent.com"


@cache
def haproxy() -> tuple[int, str]:
    """Port and readiness path that HAProxy on web hosts has, read from its template."""
    text = _HAPROXY.read_text(encoding="utf-8")
    port = re.search(r"frontend edge\n\s+bind :(\d+)", text)
    path = re.search(r"acl ready_path path (\S+)", text)
    if port is None or path is None:
        raise AssertionError(f"{_HAPROXY} has no port or no readiness path where it had them")
    return int(port[1]), path[1]


def hosts_answer_the_load_balancer(facts: Facts) -> Iterator[Said]:
    """Port and path of the target group are HAProxy's, and exactly the web hosts are its targets."""
    port, path = haproxy()
    for targets in facts.graph.of(_TARGETS):
        if targets.inputs.get("port") != port:
            yield targets, "port", f"{targets.inputs.get('port')}: HAProxy listens on {port}"
        if at(targets.inputs, "healthCheck.path") != path:
            yield (
                targets,
                "healthCheck.path",
                f"{at(targets.inputs, 'healthCheck.path')}: HAProxy answers {path}",
            )
        if at(targets.inputs, "healthCheck.port") not in {"traffic-port", str(port), None}:
            yield targets, "healthCheck.port", "is not where HAProxy listens"
        if at(targets.inputs, "healthCheck.matcher") != "200":
            yield targets, "healthCheck.matcher", "HAProxy answers 200 if it is ready, and 503 if not"
        if int(at(targets.inputs, "healthCheck.timeout") or 0) >= int(
            at(targets.inputs, "healthCheck.interval") or 0
        ):
            yield targets, "healthCheck.timeout", "must be shorter than the interval"
        members = {str(each.inputs.get("name")) for each in facts.graph.of(_GROUP) if _has(each, targets)}
        if members != {f"{facts.fleet}-web"}:
            yield (
                targets,
                "",
                f"its targets are {', '.join(sorted(members)) or 'none'}: must be {facts.fleet}-web",
            )
    for group in facts.graph.of(_GROUP):
        wanted = "ELB" if texts(group.inputs.get("targetGroupArns")) else "EC2"
        if group.inputs.get("healthCheckType") != wanted:
            yield (
                group,
                "healthCheckType",
                f"must be {wanted}: {'the load balancer' if wanted == 'ELB' else 'EC2'} knows",
            )


def _has(group: Resource, targets: Resource) -> bool:
    return targets.address in {first(each) for each in texts(group.inputs.get("targetGroupArns"))}


def listeners_lead_to_hosts(facts: Facts) -> Iterator[Said]:
    """443 forwards to the hosts with an issued certificate; 80 redirects; priorities are unique."""
    _, ready = haproxy()
    by_port = {each.inputs.get("port"): each for each in facts.graph.of(_LISTENER)}
    if set(by_port) != {80, 443}:
        yield None, "", f"listeners are on {sorted(str(each) for each in by_port)}: must be 80 and 443"
    for port, listener in by_port.items():
        if listener.inputs.get("protocol") != ("HTTPS" if port == 443 else "HTTP"):
            yield listener, "protocol", f"{listener.inputs.get('protocol')} on port {port}"
        for action in entries(listener.inputs.get("defaultActions")):
            redirect = table(action.get("redirect"))
            if redirect and (redirect.get("port") != "443" or redirect.get("protocol") != "HTTPS"):
                yield listener, "defaultActions", "redirects to another port than 443"
            if action.get("type") == "forward" and not first(action.get("targetGroupArn")):
                yield listener, "defaultActions", "forwards to no target group"
        yield from _certificate_is_issued(facts, listener)
        rules = [
            each
            for each in facts.graph.of(_RULE)
            if first(each.inputs.get("listenerArn")) == listener.address
        ]
        does = [each.get("type") for each in entries(listener.inputs.get("defaultActions"))]
        if rules and "forward" not in does:
            yield rules[0], "listenerArn", f"is on port {port}, which forwards nothing"
        priorities = [each.inputs.get("priority") for each in rules]
        if len(set(priorities)) < len(priorities):
            yield listener, "", f"two rules have one priority: {priorities}"
        shut = {path for rule in rules for path in _paths(rule)}
        own = f"/{ready.split('/')[1]}"
        if port == 443 and not {own, f"{own}/*"} <= shut:
            yield (
                listener,
                "",
                f"{own} and what is below is public: hosts answer it for the load balancer only",
            )


def _paths(rule: Resource) -> list[str]:
    answered = any(each.get("type") == "fixed-response" for each in entries(rule.inputs.get("actions")))
    conditions = entries(rule.inputs.get("conditions")) if answered else []
    return [path for each in conditions for path in texts(at(each, "pathPattern.values"))]


def _certificate_is_issued(facts: Facts, listener: Resource) -> Iterator[Said]:
    certificate = first(listener.inputs.get("certificateArn"))
    if certificate.startswith("aws_acm_certificate.") and not any(
        each.urn in listener.depends_on
        for each in facts.graph.of("aws:acm/certificateValidation:CertificateValidation")
    ):
        yield listener, "certificateArn", "is used before it is issued: AWS rejects it"


def leaving_hosts_are_heard(facts: Facts) -> Iterator[Said]:
    """Each group has the hook that hosts complete, long enough, and their role may complete it."""
    for group in facts.graph.of(_GROUP):
        name = str(group.inputs.get("name"))
        hooks = [
            each
            for each in facts.graph.of(_HOOK)
            if facts.named(each.inputs.get("autoscalingGroupName"), _GROUP, "name") is group
        ]
        if [each.inputs.get("name") for each in hooks] != [HOOK]:
            yield (
                group,
                "",
                f"its hooks are {[each.inputs.get('name') for each in hooks]}: hosts complete {HOOK!r}",
            )
        for hook in hooks:
            if hook.inputs.get("lifecycleTransition") != "autoscaling:EC2_INSTANCE_TERMINATING":
                yield hook, "lifecycleTransition", "hosts complete it when they leave"
            if int(hook.inputs.get("heartbeatTimeout") or 0) <= NOTICE_SECONDS + DEREGISTER_SECONDS:
                yield hook, "heartbeatTimeout", "is over before a leaving host has drained"
        arn = facts.arn("autoscaling", f"autoScalingGroup:x:autoScalingGroupName/{name}")
        role = _role_of(facts, group)
        if role and not allows(facts.policy_of(role), "autoscaling:CompleteLifecycleAction", arn):
            yield role, "", f"may not complete the hook of {name}: its hosts would never leave in time"
        if int(group.inputs.get("maxSize") or 0) <= int(group.inputs.get("minSize") or 0):
            yield group, "maxSize", "leaves no room for a new host before an old one goes"


def templates_are_their_roles(facts: Facts) -> Iterator[Said]:
    """Each group's template has the profile, security group and user data of the group's role."""
    for group in facts.graph.of(_GROUP):
        role_name = str(group.inputs.get("name")).removeprefix(f"{facts.fleet}-")
        template = facts.graph.by_address(first(at(group.inputs, "launchTemplate.id")))
        if template is None:
            yield group, "launchTemplate.id", "is no template of the stack"
            continue
        if first(at(group.inputs, "launchTemplate.version")) != template.address:
            yield group, "launchTemplate.version", "is another template's"
        role = _role_of(facts, group)
        if role is None or role.inputs.get("name") != f"{facts.fleet}-{role_name}":
            found = role.inputs.get("name") if role else "none"
            yield (
                template,
                "iamInstanceProfile.arn",
                f"its role is {found}: must be {facts.fleet}-{role_name}",
            )
        elif "ec2.amazonaws.com" not in services(statements(role.inputs.get("assumeRolePolicy"))):
            yield role, "assumeRolePolicy", "EC2 may not assume it, so its hosts have no credentials"
        for card in entries(template.inputs.get("networkInterfaces")):
            for each in texts(card.get("securityGroups")):
                found = facts.graph.by_address(first(each))
                if found is None or role_name not in str(found.inputs.get("description")).split():
                    yield (
                        template,
                        "networkInterfaces",
                        f"{each} is not the security group of {role_name} hosts",
                    )
        yield from _user_data(facts, template, role_name)
        yield from _root(template)


def _role_of(facts: Facts, group: Resource) -> Resource | None:
    template = facts.graph.by_address(first(at(group.inputs, "launchTemplate.id")))
    profile = (
        facts.graph.by_address(first(at(template.inputs, "iamInstanceProfile.arn"))) if template else None
    )
    return facts.named(profile.inputs.get("role"), _ROLE, "name") if profile else None


def _user_data(facts: Facts, template: Resource, role: str) -> Iterator[Said]:
    try:
        raw = base64.b64decode(str(template.inputs.get("userData")), validate=True)
    except ValueError:
        yield template, "userData", "is no base64"
        return
    text = raw.decode(errors="replace")
    if len(raw) > MAX_BYTES:
        yield template, "userData", f"{len(raw)} bytes: EC2 takes {MAX_BYTES}"
    if not text.startswith("#!"):
        yield template, "userData", "cloud-init runs only what begins with #!"
    builds = f"{facts.fleet}-builds-{facts.account}"
    if f'ROLE, REGION, BUCKET = "{role}", "{facts.region}", "{builds}"' not in text:
        yield template, "userData", f"does not name role {role}, region {facts.region} and bucket {builds}"
    if facts.named(builds, _BUCKET, "bucket") is None:
        yield template, "userData", f"the stack has no bucket {builds}"


def _root(template: Resource) -> Iterator[Said]:
    image = str(template.inputs.get("imageId"))
    disks = entries(template.inputs.get("blockDeviceMappings"))
    for word, device in _ROOTS.items():
        if word in image and not any(each.get("deviceName") == device for each in disks):
            yield (
                template,
                "blockDeviceMappings",
                f"the root device of {word} is {device}: it would stay unencrypted",
            )
    for each in disks:
        if str(at(each, "ebs.encrypted")) != "true":
            yield template, "blockDeviceMappings", f"{each.get('deviceName')} is not encrypted"


def roles_trust_their_users(facts: Facts) -> Iterator[Said]:
    """Each role trusts the service that uses it; GitHub's provider and trust policies name one audience."""
    for token, path, service in (
        ("aws:ec2/flowLog:FlowLog", "iamRoleArn", "vpc-flow-logs.amazonaws.com"),
        ("aws:rds/instance:Instance", "monitoringRoleArn", "monitoring.rds.amazonaws.com"),
        ("aws:rds/proxy:Proxy", "roleArn", "rds.amazonaws.com"),
    ):
        for user in facts.graph.of(token):
            role = facts.graph.by_address(first(user.inputs.get(path)))
            if role and service not in services(statements(role.inputs.get("assumeRolePolicy"))):
                yield role, "assumeRolePolicy", f"{service}, which {user.name} needs, may not assume it"
    for role in facts.graph.of(_ROLE):
        for each in statements(role.inputs.get("assumeRolePolicy")):
            if "Federated" in table(each.get("Principal")):
                yield from _federated(facts, role, each)


def _federated(facts: Facts, role: Resource, statement: dict[str, Any]) -> Iterator[Said]:
    said = table(table(statement.get("Condition")).get("StringEquals"))
    if (
        table(statement.get("Principal"))["Federated"]
        != f"arn:aws:iam::{facts.account}:oidc-provider/{_GITHUB}"
    ):
        yield role, "assumeRolePolicy", "trusts another identity provider than the account's for GitHub"
    audiences = {
        audience
        for each in facts.graph.of("aws:iam/openIdConnectProvider:OpenIdConnectProvider")
        for audience in texts(each.inputs.get("clientIdLists"))
    } or {"sts.amazonaws.com"}
    if said.get(f"{_GITHUB}:aud") not in audiences:
        yield (
            role,
            "assumeRolePolicy",
            f"audience {said.get(f'{_GITHUB}:aud')!r} is none of {sorted(audiences)}",
        )
    for subject in words(said.get(f"{_GITHUB}:sub")) or [""]:
        if not re.fullmatch(
            r"repo:[\w.-]+(@\d+)?/[\w.-]+(@\d+)?:(environment:[^*:]+|pull_request|ref:[^*]+)", subject
        ):
            yield role, "assumeRolePolicy", f"{subject!r} is no subject that GitHub sends"
    if words(statement.get("Action")) != ["sts:AssumeRoleWithWebIdentity"]:
        yield role, "assumeRolePolicy", "GitHub assumes roles by sts:AssumeRoleWithWebIdentity only"


AGREEMENTS = (
    hosts_answer_the_load_balancer, listeners_lead_to_hosts, leaving_hosts_are_heard,
    templates_are_their_roles,
    roles_trust_their_users,
)  # fmt: skip

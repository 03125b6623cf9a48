"""The stack's alarms, which are silent until its first release: turned on once something is live."""

from slipway.platforms.aws.session import AwsInput, AwsRefused, AwsSession

_MOST = 100
"""Alarms that CloudWatch turns on in one call."""


def turn_on_alarms(session: AwsSession, fleet: str) -> int:
    """Turn on the fleet's alarms that are off; returns how many were. AwsInput: no right to."""
    silent = silent_alarms(session, fleet)
    for start in range(0, len(silent), _MOST):
        session.call("cloudwatch", "enable_alarm_actions", AlarmNames=silent[start : start + _MOST])
    return len(silent)


def silent_alarms(session: AwsSession, fleet: str) -> list[str]:
    """Names of the fleet's alarms that notify no one."""
    found = session.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=f"{fleet}-")
    return sorted(each["AlarmName"] for each in found if not each.get("ActionsEnabled", True))


def try_to_turn_on_alarms(session: AwsSession, fleet: str) -> str:
    """The same; why it could not, or an empty text. A release does not fail for its alarms."""
    try:
        turn_on_alarms(session, fleet)
    except (AwsInput, AwsRefused) as refused:
        return f"alarms could not be turned on, so they notify no one: {refused.message}"
    return ""

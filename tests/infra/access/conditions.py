"""The Condition element: operators, sets of values, absent keys.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tests.infra.access.variables import Context, filled, fits, values

Test = Callable[[str, str], bool]
"""Of a wanted value (variables filled in, plain) and the request's."""


class UnknownOperator(ValueError):
    """AWS would refuse the policy."""


def hold(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Do all operators, and in each all keys, hold for the request? Raises UnknownOperator."""
    return all(
        _holds(name, key, _texts(wanted), context)
        for name, keys in condition.items()
        for key, wanted in keys.items()
    )


def _holds(name: str, key: str, wanted: list[str], context: Context) -> bool:
    given = values(key, context)
    if name == "Null":
        return any((each.lower() == "true") == (not given) for each in wanted)
    quantifier, _, rest = name.rpartition(":")
    plain, if_exists = rest.removesuffix("IfExists"), rest.endswith("IfExists")
    if plain not in _TESTS:
        raise UnknownOperator(name)
    test, negated = _TESTS[plain]
    if not given:
        return if_exists or quantifier == "ForAllValues" or (negated and not quantifier)

    def one(value: str) -> bool:
        tried = (filled(each, context) for each in wanted)
        return any(each is not None and test(each, value) for each in tried) != negated

    return (any if quantifier == "ForAnyValue" else all)(map(one, given))


def _texts(wanted: Any) -> list[str]:
    """One value or a list of them; JSON's own `false` is as good as the text."""
    every = cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in every]


def _plain(wanted: str) -> str:
    """Where `*` stands for itself."""
    return wanted.replace("[*]", "*").replace("[?]", "?")


def _arn(wanted: str, given: str) -> bool:
    """Each of the six parts is compared for itself."""
    left, right = wanted.split(":", 5), given.split(":", 5)
    return len(left) == len(right) and all(map(fits, left, right))


def _address(wanted: str, given: str) -> bool:
    return ipaddress.ip_address(given) in ipaddress.ip_network(wanted, strict=False)


def _number(compare: Callable[[float, float], bool]) -> Test:
    return lambda wanted, given: compare(float(given), float(wanted))


def _date(compare: Callable[[datetime, datetime], bool]) -> Test:
    return lambda wanted, given: compare(_moment(given), _moment(wanted))


def _moment(text: str) -> datetime:
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    return datetime.fromisoformat(text)


_COMPARED: dict[str, tuple[Callable[[Any, Any], bool], bool]] = {
    "Equals": (operator.eq, False),
    "NotEquals": (operator.eq, True),
    "LessThan": (operator.lt, False),
    "LessThanEquals": (operator.le, False),
    "GreaterThan": (operator.gt, False),
    "GreaterThanEquals": (operator.ge, False),
}
_TESTS: dict[str, tuple[Test, bool]] = {
    "StringEquals": (lambda wanted, given: _plain(wanted) == given, False),
    "StringNotEquals": (lambda wanted, given: _plain(wanted) == given, True),
    "StringEqualsIgnoreCase": (lambda wanted, given: _plain(wanted).lower() == given.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda wanted, given: _plain(wanted).lower() == given.lower(), True),
    "StringLike": (fits, False),
    "StringNotLike": (fits, True),
    "ArnEquals": (_arn, False),
    "ArnLike": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnNotLike": (_arn, True),
    "Bool": (lambda wanted, given: wanted.lower() == given.lower(), False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    **{f"Numeric{name}": (_number(test), negated) for name, (test, negated) in _COMPARED.items()},
    **{f"Date{name}": (_date(test), negated) for name, (test, negated) in _COMPARED.items()},
}
"""By operator: the test, and whether it must fail for every wanted value."""

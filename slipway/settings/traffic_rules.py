"""Rules on what sends traffic: smoke steps, WebSocket messages, load and observation."""

import json
import re
from collections.abc import Iterator

from slipway.settings.app import App, Step
from slipway.settings.env import reaches
from slipway.settings.violations import Broken, KeyPath, shown

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
COUNTER = "n"
"""The only name that the meter fills, in `websocket.echo`."""


def traffic_rules(app: App) -> Iterator[Broken]:
    """What is wrong with websocket, smoke, load and observe."""
    yield from _needs_web(app)
    yield from _private_paths(app)
    known = {name for name, var in app.env.items() if reaches(var, "smoke")}
    yield from _smoke(app, known)
    yield from _websocket(app, known | {name for step in app.smoke.steps for name in step.capture})
    for index, path in enumerate(app.load.paths):
        if path in app.private_paths:
            yield (
                ("load", "paths", index),
                f"{shown(path)} is a private path: the edge answers 404",
                "choose a public one",
            )
    if not app.load.paths and "paths" in app.load.model_fields_set:
        yield (
            ("load", "paths"),
            "must name at least one path",
            "leave it out to request processes.web.health",
        )
    for name, other in app.checks.other_user.items():
        for entry in (name, other):
            if entry not in known:
                yield (
                    ("checks", "other_user", name),
                    f"{entry} is no entry of [env] with the scope smoke",
                    "add it, or name another",
                )
    yield from _thresholds(app)


def _needs_web(app: App) -> Iterator[Broken]:
    if app.web is not None:
        return
    given: list[tuple[KeyPath, bool]] = [
        (("websocket",), app.websocket is not None),
        (("smoke", "steps"), bool(app.smoke.steps)),
        (("observe", "probe"), app.observe.probe is not None),
        (("load", "paths"), "paths" in app.load.model_fields_set),
    ]
    for place, is_given in given:
        if is_given:
            yield place, "needs a process named web, and there is none", "add [processes.web], or remove it"


def _private_paths(app: App) -> Iterator[Broken]:
    """The edge compares the decoded path of a request, and everything below a private path is private."""
    for index, path in enumerate(app.private_paths):
        parts = path.split("/")[1:]
        plain = "/" + "/".join(part for part in parts if part and not set(part) <= set(".*"))
        if path == "/":
            problem, remedy = "would close the whole site", "remove it"
        elif "*" in path or "?" in path or "%" in path:
            problem = 'must not hold "*", "?" or "%": it is compared with the decoded path'
            remedy = f"write {shown(plain)}: everything below it is private too"
        elif plain != path:
            problem = "must be the plain path, without a slash at its end, empty parts and dots"
            remedy = f"write {shown(plain)}"
        else:
            continue
        yield (
            ("private_paths", index),
            f"{problem}, got {shown(path)}",
            remedy if plain != "/" else "remove it",
        )


def _smoke(app: App, known: set[str]) -> Iterator[Broken]:
    seen = set(known)
    names: set[str] = set()
    for index, step in enumerate(app.smoke.steps):
        place: KeyPath = ("smoke", "steps", index)
        if step.name in names:
            yield (
                (*place, "name"),
                f"{shown(step.name)} is also the name of an earlier step",
                "choose another",
            )
        names.add(step.name)
        if not 100 <= step.status <= 599:
            yield (*place, "status"), f"must be an HTTP status, got {step.status}", ""
        if step.request.startswith("HEAD ") and (step.contains or step.capture):
            yield (
                (*place, "request"),
                "HEAD has no response body, and the step reads one",
                "use GET, or remove contains and capture",
            )
        for name in step.capture:
            if not re.fullmatch(r"\w+", name):
                yield (*place, "capture", name), "must be letters, digits and underscores", ""
        for key, text in _texts(step):
            for name in sorted(_names(text) - seen):
                yield (*place, key), *_unfilled(app, name)
        seen |= set(step.capture)


def _websocket(app: App, known: set[str]) -> Iterator[Broken]:
    websocket = app.websocket
    if websocket is None:
        return
    if websocket.path in app.private_paths:
        yield ("websocket", "path"), "must not be among private_paths: the edge answers 404", ""
    for index, message in enumerate(websocket.open):
        for name in sorted(_names(message) - known):
            yield ("websocket", "open", index), *_unfilled(app, name)
    if websocket.echo:
        for name in sorted(_names(websocket.echo) - known - {COUNTER}):
            yield ("websocket", "echo"), *_unfilled(app, name)
        if COUNTER not in _names(websocket.echo):
            yield (
                ("websocket", "echo"),
                "must contain ${n}, the number by which the meter recognises the response",
                "put ${n} where the app repeats it",
            )
    for index, code in enumerate(websocket.close_codes):
        if not 1000 <= code <= 4999:
            yield ("websocket", "close_codes", index), f"must be 1000 to 4999, got {code}", ""


def _thresholds(app: App) -> Iterator[Broken]:
    seen: set[tuple[str, str]] = set()
    for index, threshold in enumerate(app.load.thresholds):
        place: KeyPath = ("load", "thresholds", index)
        if (threshold.kind, threshold.name) in seen:
            named = f"{shown(threshold.kind)} {threshold.name}".rstrip()
            yield (*place, "kind"), f"{named} has a threshold already", "write all its bounds in one table"
        seen.add((threshold.kind, threshold.name))
        if threshold.kind.startswith("WS ") and app.websocket is None:
            yield (*place, "kind"), "needs [websocket], and there is none", "add it, or remove the threshold"


def _unfilled(app: App, name: str) -> tuple[str, str]:
    if name in app.env:
        return f"${{{name}}} is not in scope smoke", f'add "smoke" to env.{name}.scope'
    later = [step.name for step in app.smoke.steps if name in step.capture]
    if later:
        return f"${{{name}}} is captured only by {shown(later[0])}", "move that step before this one"
    return (
        f"nothing fills ${{{name}}}",
        "capture it in an earlier smoke step, or name an env entry with scope smoke",
    )


def _texts(step: Step) -> Iterator[tuple[str, str]]:
    yield "request", step.request
    yield "headers", json.dumps(step.headers, ensure_ascii=False)
    yield "json", json.dumps(step.body, ensure_ascii=False, default=str)
    yield "contains", step.contains or ""


def _names(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))

"""A run as JUnit XML. pytest's own --junitxml tells neither "not evaluated" from "skipped" nor the remedy."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from checks.kit.results import Result, Run


def junit(run: Run) -> str:
    """The XML text."""
    suite = Xml.Element(
        "testsuite",
        name=f"checks of {run.stack}",
        timestamp=run.started.isoformat(timespec="seconds"),
        time=f"{run.seconds:.3f}",
        tests=str(len(run.results)),
        failures=str(run.count("fail")),
        skipped=str(run.count("skipped") + run.count("not evaluated")),
        errors="0",
    )
    for result in run.results:
        suite.append(_case(result))
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True)


def _case(result: Result) -> Xml.Element:
    home, _, name = result.id.partition("/")
    case = Xml.Element(
        "testcase",
        classname=f"checks.{home}",
        name=f"{name}[{result.host}]" if result.host else name,
        time=f"{result.seconds:.3f}",
    )
    if result.verdict == "fail":
        failure = Xml.SubElement(case, "failure", message=result.reason.partition("\n")[0])
        failure.text = f"{result.reason}\nseverity: {result.severity}\nremedy: {result.remedy}"
    elif result.verdict != "pass":
        Xml.SubElement(case, "skipped", message=f"{result.verdict}: {result.reason}")
    return case

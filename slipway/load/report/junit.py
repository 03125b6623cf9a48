"""A load run as JUnit XML: a test case for each threshold."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from slipway.load.finding import Finding
from slipway.load.outcome import Outcome


def junit(run: Outcome) -> str:
    """The XML text. No data is a failure here too; `not judged` is skipped."""
    suite = Xml.Element(
        "testsuite",
        name=f"{run.profile} load on {run.stack}",
        timestamp=run.started.isoformat(timespec="seconds"),
        time=f"{run.seconds:.3f}",
        tests=str(len(run.findings) + 1),
        failures=str(run.counts["fail"] + run.counts["no data"] + (not run.passed)),
        skipped=str(run.counts["not judged"]),
        errors="0",
    )
    suite.append(_whole(run))
    for finding in run.findings:
        suite.append(_case(finding))
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True)


def _whole(run: Outcome) -> Xml.Element:
    """The run as a case of its own: a run without a finding cannot look green."""
    case = Xml.Element("testcase", classname="load", name="run", time=f"{run.seconds:.3f}")
    if not run.passed:
        failure = Xml.SubElement(case, "failure", message=run.exit_code.meaning)
        failure.text = f"exit code {run.exit_code.value}: {run.exit_code.meaning}\n{run.why_ended}".strip()
    return case


def _case(finding: Finding) -> Xml.Element:
    case = Xml.Element(
        "testcase",
        classname=f"load.{finding.kind or 'run'}",
        name=f"{finding.name} {finding.measure}".strip(),
        time="0",
    )
    if finding.verdict in {"fail", "no data"}:
        failure = Xml.SubElement(case, "failure", message=finding.sentence)
        failure.text = f"{finding.sentence}\nsamples: {finding.samples}"
    elif finding.verdict == "not judged":
        Xml.SubElement(case, "skipped", message=finding.sentence)
    return case

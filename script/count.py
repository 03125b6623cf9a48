"""Prints how many tests of the JUnit files given passed and failed: `412 passed, 0 failed, 2 skipped`.

Further arguments `passed=N` and `failed=N` are steps that write no JUnit file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

NAMES = ("passed", "failed", "skipped")


def count(file: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped test cases of one file."""
    cases = list(ElementTree.parse(file).iter("testcase"))  # noqa: S314 - our own test runs wrote it
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - failed - skipped, failed, skipped


def main() -> None:
    """Add up all arguments."""
    total = dict.fromkeys(NAMES, 0)
    for argument in sys.argv[1:]:
        name, equals, number = argument.partition("=")
        if equals and name in NAMES:
            total[name] += int(number)
        else:
            for kind, found in zip(NAMES, count(Path(argument)), strict=True):
                total[kind] += found
    print(", ".join(f"{number} {name}" for name, number in total.items()))


if __name__ == "__main__":
    main()

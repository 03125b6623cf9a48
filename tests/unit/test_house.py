"""The house rules that no other linter holds: platform names, plain English, pages that name real files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = (
    "slipway",
    "infra",
    "hosts",
    "checks",
    "loadtests",
    "bench",
    "templates",
    "script",
    "docs",
    ".github",
)
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PLATFORM = re.compile(
    r"""platform\s*(==|!=)|\.platform (not )?in\b|case "(aws|servers|local)"|^\s*if .*== "(aws|servers)\""""
)
CHOOSES = "slipway/platforms/platform.py"
"""The one file that may choose by a platform's name."""

NOT_PLAIN = {
    r"(?<![\"{_])\btold\b": "reported, given, notified",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\banew\b": "again",
    r"\bnobody('s)?\b": "no user, no one; or name who",
    r"\basked for\b": "requested, required",
    r"(?<!for )\bways? in\b": "entry, rule, access",
    r"\bblot(s|ted)?\b": "redact",
    r"^\s*(\"\"\"|#+ ?)Of \w+": "a sentence has a subject and a verb",
}


def product_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *PRODUCT, *PAGES], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def hits(pattern: str, files: list[Path]) -> list[str]:
    wanted = re.compile(pattern, re.MULTILINE)
    found: list[str] = []
    for file in files:
        try:
            lines = file.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            if wanted.search(line)
        ]
    return found


def test_one_file_chooses_by_a_platforms_name() -> None:
    python = [file for file in product_files() if file.suffix == ".py" and "bench" not in file.parts]
    found = [hit for hit in hits(PLATFORM.pattern, python) if not hit.startswith(f"{CHOOSES}:")]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("pattern", NOT_PLAIN)
def test_the_product_speaks_plain_english(pattern: str) -> None:
    found = hits(pattern, product_files())
    assert not found, f"write instead: {NOT_PLAIN[pattern]}\n" + "\n".join(found)


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {
        str(file.relative_to(ROOT)): count
        for file in product_files()
        if file.suffix == ".py" and (count := len(file.read_text().splitlines())) > 400
    }
    assert not long


@pytest.mark.parametrize(
    "page",
    [*sorted(Path(ROOT, "docs").rglob("*.md")), *(ROOT / page for page in PAGES)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_what_a_page_names_is_there(page: Path) -> None:
    """Links to files, and paths in code spans such as `slipway/release/switch.py`, exist."""
    text = page.read_text()
    prose = re.sub(r"`[^`\n]*`", "", text)
    linked = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
    missing = [target for target in linked if target and not (page.parent / target).exists()]
    spans = re.findall(
        r"`((?:slipway|infra|hosts|checks|loadtests|templates|bench|script|tests|docs)/[\w./-]*)`", text
    )
    missing += [span for span in spans if not (ROOT / span).exists()]
    assert not missing

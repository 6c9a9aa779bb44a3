# SPDX-License-Identifier: LGPL-2.1-or-later
"""Add up the results of several pytest runs: ``tools/summary.py FOLDER``.

Reads every JUnit file in the folder, names each test that failed and each that was skipped with its
reason, says how many schedules were explored, and ends with one line of counts. A run that wrote no
result is not counted, so whoever started it must look at its status as well.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse


def outcome(case: Element) -> tuple[str, str]:
    """The word for one test case, and pytest's message for it."""
    for tag, word in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        found = case.find(tag)
        if found is not None:
            return word, found.get("message", "").partition("\n")[0]
    return "passed", ""


def schedules(case: Element) -> int:
    """How many schedules one test case explored, by its own record."""
    properties = [found for found in case.iter("property") if found.get("name") == "schedules"]
    return sum(int(found.get("value", "0")) for found in properties)


def main() -> int:
    """Print the summary; the status is 1 if a test failed or none ran."""
    counts: Counter[str] = Counter()
    explored = 0
    for path in sorted(Path(sys.argv[1]).glob("*.xml")):
        for case in parse(path).iter("testcase"):
            word, message = outcome(case)
            counts[word] += 1
            explored += schedules(case)
            if word != "passed":
                name = f"{case.get('classname')}::{case.get('name')}"
                print(f"{word.upper()} ({path.stem}) {name}: {message}")
    print(f"{explored} schedules explored")
    failed = counts["failed"] + counts["error"]
    print(f"{counts['passed']} passed, {failed} failed, {counts['skipped']} skipped")
    return 1 if failed or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())

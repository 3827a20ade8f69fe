"""Print one line for each failed test of a JUnit file; exit 1 if there is none to print."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def describe(case, problem):
    """Name a notebook's cell as the notebook shows it (nbval counts from 0), else the test."""
    folder, _, stem = case.get("classname", "").partition(".")
    message = re.sub(r"(\x1b|#x1B)\[[\d;]*m", "", problem.get("message") or problem.text or "")
    reason = next((line.strip() for line in message.splitlines() if line.strip()), "")
    cell = re.fullmatch(r"Cell (\d+)", case.get("name", ""))
    if cell:
        return f"FAILED: {folder}/{stem}, cell {int(cell[1]) + 1}: {reason}"
    return f"FAILED: {case.get('classname')}::{case.get('name')}: {reason}"


def main():
    """Read the file named on the command line; notebooks come last, where a reader looks."""
    path = Path(sys.argv[1])
    cases = ElementTree.parse(path).iter("testcase") if path.exists() else []
    lines = [
        describe(case, problem)
        for case in cases
        for problem in [*case.iter("failure"), *case.iter("error")]
    ]
    print("\n".join(sorted(lines, key=lambda line: ", cell " in line)))
    sys.exit(not lines)


if __name__ == "__main__":
    main()

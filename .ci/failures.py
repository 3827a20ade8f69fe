"""Print one line for each failed test or notebook of a JUnit file; exit 1 if there is none."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def plain(text):
    """Drop the colour codes of a terminal."""
    return re.sub(r"(\x1b|#x1B)\[[\d;]*m", "", text or "")


def describe_cell(case, problem, number):
    """Name the cell as the notebook numbers it (nbval counts from 0) and the error in it."""
    text = plain(problem.text)
    errors = re.findall(r"^\w+(?:Error|Exception)(?:: .*)?$", text, flags=re.MULTILINE)
    reasons = re.findall(r"^Cell \d+: (.+)$", text, flags=re.MULTILINE)
    notebook = case.get("classname").replace(".", "/", 1)
    return f"FAILED: {notebook}, cell {number + 1}: {['see above', *reasons, *errors][-1]}"


def describe(case, problem):
    """Name a failed test, or a failed cell of a notebook, with its reason."""
    if cell := re.fullmatch(r"Cell (\d+)", case.get("name", "")):
        return describe_cell(case, problem, int(cell[1]))
    reason = (plain(problem.get("message")).splitlines() or ["no reason"])[0]
    return f"FAILED: {case.get('classname')}::{case.get('name')}: {reason}"


def main():
    """Read the file named on the command line; of a notebook, show the first cell that failed."""
    path = Path(sys.argv[1])
    tests, notebooks = [], {}
    for case in ElementTree.parse(path).iter("testcase") if path.exists() else []:
        for problem in [*case.iter("failure"), *case.iter("error")]:
            if case.get("classname", "").startswith("notebooks."):
                notebooks.setdefault(case.get("classname"), describe(case, problem))
            else:
                tests.append(describe(case, problem))
    print(*tests, *notebooks.values(), sep="\n")
    sys.exit(not tests and not notebooks)


if __name__ == "__main__":
    main()

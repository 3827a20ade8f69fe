"""The playground's own tests, of its JavaScript, pass; its README lists its modules in order."""

import re

import pytest

from commands import PLAYGROUND, run


@pytest.mark.slow
def test_the_tests_of_the_playground_pass():
    files = sorted(PLAYGROUND.glob("tests/*.test.js"))
    status, said = run("node", "--test", *files)
    assert files and status == 0, said


def imported(module):
    """The modules that a module imports."""
    return re.findall(r'from "\./(\w+)\.js";', (PLAYGROUND / f"{module}.js").read_text())


def test_the_readme_lists_every_module_after_those_it_imports():
    readme = (PLAYGROUND / "README.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| (`.+) \|$", readme, re.MULTILINE)
    listed = re.findall(r"`(\w+)`", "".join(rows))
    assert sorted(listed) == sorted(path.stem for path in PLAYGROUND.glob("*.js"))
    late = [(module, one) for place, module in enumerate(listed) for one in imported(module)
            if one not in listed[:place]]
    assert late == []

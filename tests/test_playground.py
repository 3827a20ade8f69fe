"""The playground's own tests, of its JavaScript, pass."""

import pytest

from commands import PLAYGROUND, run


@pytest.mark.slow
def test_the_tests_of_the_playground_pass():
    files = sorted(PLAYGROUND.glob("tests/*.test.js"))
    status, said = run("node", "--test", *files)
    assert files and status == 0, said

"""What a test run counts: what tests say, and examples that ran, over all workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = '''
from hypothesis import assume, given
from hypothesis import strategies as st


@given(st.sampled_from(range(10)))
def test_five_examples_reach_their_end(number):
    assume(number % 2)


@given(st.integers(0, 10**9))
def test_as_many_as_the_profile_says(number):
    pass


def test_three_kills(count):
    count("kills", 1)
    count("kills", 2)


def test_one_more_kill_and_a_failure(count):
    count("kills", 1)
    raise AssertionError
'''


@pytest.mark.parametrize("options, examples", [
    (["-n", "2"], 105), (["--hypothesis-profile=long"], 1005)])
def test_counts_are_summed_over_tests_and_workers(tmp_path, options, examples):
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    output = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", *options, "."],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, text=True, capture_output=True).stdout
    [line] = [line for line in output.splitlines() if line.startswith("counted: ")]
    assert set(line.removeprefix("counted: ").split(", ")) == {f"{examples} examples", "4 kills"}

"""Variables of make that cannot be: one line names them, and nothing is left behind."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import threads
from examples import refuses

ROOT = Path(__file__).resolve().parents[1]
NEEDED = "Makefile", "pyproject.toml", "constraints.txt", "constraints-lowest.txt"
OUTER = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "OMP_NUM_THREADS", "PYTEST_XDIST_WORKER"}
CLEAN = {name: value for name, value in os.environ.items() if name not in OUTER}
INTERPRETER = """#!/bin/sh
exec {} -c 'import sys; sys.version_info = {}; exec(sys.argv[2])' "$@"
"""


@pytest.fixture
def make(tmp_path):
    """A function that runs make in a bare checkout, beside interpreters of other versions."""
    for name in NEEDED:
        shutil.copy(ROOT / name, tmp_path)
    for name, version in ("python3.10", (3, 10)), ("python3.13", (3, 13)):
        (tmp_path / name).write_text(INTERPRETER.format(sys.executable, version))
        (tmp_path / name).chmod(0o755)
    return lambda *arguments: subprocess.run(
        ["make", *arguments], cwd=tmp_path, env={**CLEAN, "LC_ALL": "C"}, text=True,
        capture_output=True)


@pytest.mark.parametrize("target, python, message", [
    ("install", "nowhere", "nowhere: (.*not found|No such file)"),
    ("install", "./python3.10", "^Python 3.11 or newer is needed: make PYTHON=python3.11 ...$"),
    ("test-lowest", "./python3.13", "^Python 3.11 or 3.12 is needed: make PYTHON=python3.11 test")])
def test_an_interpreter_that_does_not_do_is_refused(target, python, message, make, tmp_path, count):
    before = {*tmp_path.iterdir()}
    done = make(target, f"PYTHON={python}")
    said, stopped = done.stderr.splitlines()
    assert re.search(message, said) and stopped.startswith("make: *** ")
    assert done.returncode == 2 and not done.stdout and {*tmp_path.iterdir()} == before
    count("bad calls", 1)


def test_another_python_is_installed_for_once(make, tmp_path):
    pretended = "mkdir -p .venv-python3.99/bin; cp python3.99 .venv-python3.99/bin/python; echo $*"
    (tmp_path / "python3.99").write_text(f"#!/bin/sh\n{pretended}\n")
    (tmp_path / "python3.99").chmod(0o755)
    path = f"PATH={tmp_path}{os.pathsep}{os.environ['PATH']}"
    said = [make("--silent", "test-python3.99", path).stdout for _ in range(2)]
    assert [text.count("-m pip install") for text in said] == [1, 0]
    assert [text.count("-m pytest") for text in said] == [1, 1]


@pytest.mark.parametrize("given, message", [
    ("PYTHON=", "PYTHON is empty; expected a command, such as python3.11"),
    ("OMP_NUM_THREADS=0", "OMP_NUM_THREADS is '0'; expected a number of threads, such as 2"),
    ("OMP_NUM_THREADS=many", "OMP_NUM_THREADS is 'many'; expected a number"),
    ("OMP_NUM_THREADS=4,", "OMP_NUM_THREADS is '4,'; expected a number"),
    ("OMP_NUM_THREADS=", "OMP_NUM_THREADS is ''; expected a number")])
def test_a_variable_that_cannot_be_stops_make_before_anything(given, message, make, count):
    done = make("--dry-run", "install", given)
    (line,) = done.stderr.splitlines()
    assert f"*** {message}" in line and done.returncode == 2 and not done.stdout
    count("bad calls", 1)


def test_make_takes_lists_of_threads(make):
    assert make("--dry-run", "lint", "OMP_NUM_THREADS=4,2").returncode == 0


@refuses(
    (lambda: threads("0"), pytest.UsageError, "OMP_NUM_THREADS is '0'; expected a number of threa"),
    (lambda: threads("many"), pytest.UsageError, "OMP_NUM_THREADS is 'many'; expected a number"),
    (lambda: threads("-1"), pytest.UsageError, "OMP_NUM_THREADS is '-1'; expected"),
    (lambda: threads("2.5"), pytest.UsageError, "OMP_NUM_THREADS is '2.5'; expected"),
    (lambda: threads(""), pytest.UsageError, "OMP_NUM_THREADS is ''; expected a number of threads"),
    (lambda: threads(",2"), pytest.UsageError, "OMP_NUM_THREADS is ',2'; expected"),
)
def test_what_is_no_number_of_threads_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


TEST = """
import torch


def test_threads():
    assert torch.get_num_threads() == 4
"""


def run_with(threads, folder):
    """Run a test of there being four threads with a value of OMP_NUM_THREADS."""
    (folder / "test_threads.py").write_text(TEST)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", os.devnull, "-p", "conftest", "-n", "0", "."],
        cwd=folder, env={**CLEAN, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT / "tests")},
        text=True, capture_output=True)


def test_of_a_list_of_threads_the_tests_take_the_first_number(tmp_path):
    assert (threads("1"), threads("4,2"), threads("12,3,1")) == (1, 4, 12)
    done = run_with("4,2", tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_run_of_the_tests_says_what_is_no_number_of_threads(tmp_path, count):
    done = run_with("many", tmp_path)
    *_, last = done.stderr.strip().splitlines()  # after what OpenMP and debuggers say
    assert last.startswith("ERROR: OMP_NUM_THREADS is 'many'; expected") and not done.stdout
    assert "Traceback" not in done.stderr
    count("bad calls", 1)

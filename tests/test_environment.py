"""pyproject.toml, constraints.txt and environment.yml tell one story."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = (ROOT / "constraints.txt").read_text().split()
LOWEST = (ROOT / "constraints-lowest.txt").read_text().split()
TESTED_LOWEST = ("run", "docs", "test")  # with the core, what `make test-lowest` installs
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
APART = {"fast", "bench"}
PIP = next(entry["pip"] for entry in CONDA if isinstance(entry, dict))


def pinned():
    """The pinned version of each distribution, by its canonical name."""
    pairs = (line.split("==") for line in PINS)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def declared():
    """All dependencies, core and extras."""
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_each_dependency_has_a_pin_in_its_range(requirement):
    assert pinned()[canonicalize_name(requirement.name)] in requirement.specifier


def test_each_pin_is_exact_without_local_versions_or_paths():
    assert [line for line in PINS if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_the_project_is_not_pinned():
    assert canonicalize_name(PROJECT["name"]) not in pinned()


def test_conda_brings_a_python_that_the_project_accepts():
    python = next(entry for entry in CONDA if str(entry).startswith("python="))
    accepted = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert Version(python.split("=")[1]) in accepted


def test_conda_leaves_the_packages_to_pip_and_the_pins():
    assert "pip" in CONDA and "-c constraints.txt" in PIP
    editable = next(line for line in PIP if line.startswith("-e ."))
    # with Numba in sight training gives other bits, so that and its company stay apart
    assert set(re.findall(r"\w+", editable.removeprefix("-e ."))) == set(EXTRAS) - APART


def test_make_installs_only_extras_that_exist():
    named = re.findall(r"-e '\.\[(.*?)\]'", (ROOT / "Makefile").read_text())
    assert named and set(",".join(named).split(",")) <= set(EXTRAS)


def test_the_lower_bounds_are_the_versions_tested():
    lines = PROJECT["dependencies"] + [line for name in TESTED_LOWEST for line in EXTRAS[name]]
    assert sorted(line.replace(">=", "==") for line in lines) == sorted(LOWEST)

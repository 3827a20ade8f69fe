"""What GitHub, Binder and citers read is pinned, in step with the project and asks for little."""

import ast
import importlib.metadata
import os
import re
import sys
import tomllib
from datetime import date
from pathlib import Path

import nbformat
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import build

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = (ROOT / "constraints.txt").read_text().split()
TEXT = (ROOT / ".github/workflows/ci.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
MAKEFILE = (ROOT / "Makefile").read_text()
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
ON_MAIN = "github.ref == 'refs/heads/main'"


def step_with(word, job="test"):
    """The one step of a job, or of publishing, that uses an action or runs a command so named."""
    steps = JOBS[job]["steps"] + JOBS["publish"]["steps"]
    (found,) = [step for step in steps if word in step.get("uses", step.get("run", ""))]
    return found


def accepted(python):
    """Does the project accept this version of Python?"""
    return Version(python) in Requirement(f"python{PROJECT['requires-python']}").specifier


# GitHub


def test_every_action_is_one_commit_of_github_itself_with_its_version_beside_it():
    pinned = r"^ +(?:- )?uses: actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$"
    assert len(re.findall(pinned, TEXT, re.MULTILINE)) == TEXT.count("uses:") >= 4


def test_the_token_reads_and_only_publishing_on_main_may_do_more():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert more == {"publish": {"pages": "write", "id-token": "write"}}
    assert JOBS["publish"]["if"] == ON_MAIN
    assert JOBS["publish"]["needs"] == "test"
    assert JOBS["publish"]["environment"]["name"] == "github-pages"


def test_no_secret_and_no_text_of_strangers_reaches_a_shell():
    assert "secrets" not in TEXT and "pull_request_target" not in TEXT
    assert not any("${{" in step.get("run", "") for step in STEPS)
    for job in ("test", "versions", "audit"):
        assert step_with("actions/checkout", job)["with"] == {"persist-credentials": False}


def test_every_job_ends_in_time_on_a_named_system():
    assert all(job["timeout-minutes"] <= 90 for job in JOBS.values())
    assert {job["runs-on"] for job in JOBS.values()} == {"ubuntu-24.04"}


def test_the_workflow_runs_what_is_there():
    assert os.access(ROOT / step_with(".ci/run")["run"], os.X_OK)
    python = step_with("actions/setup-python")["with"]
    assert accepted(python["python-version"])
    assert python["cache-dependency-path"].split() == ["constraints.txt", "pyproject.toml"]


def test_other_versions_are_tested_with_every_python_that_make_is_asked_for():
    versions = JOBS["versions"]["strategy"]["matrix"]["tests"]
    setup = step_with("actions/setup-python", "versions")["with"]
    *others, own = setup["python-version"].split()
    assert [f"test-python{python}" for python in others] == versions[2:] and len(others) > 2
    assert all(map(accepted, others)) and own == step_with("setup-python")["with"]["python-version"]
    assert step_with("make", "versions")["env"]["TESTS"] == "${{ matrix.tests }}"
    assert all(re.search(rf"^{name}:", MAKEFILE, re.MULTILINE) for name in versions[:2])


def test_the_pins_are_asked_about_as_the_security_policy_says():
    assert step_with("pip-audit", "audit")["run"] in (ROOT / "SECURITY.md").read_text()


def test_what_a_failed_run_leaves_is_kept():
    kept = step_with("actions/upload-artifact")
    assert kept["if"] == "failure() || cancelled()"
    assert set(re.findall(r"--junit-xml=(\S+)", MAKEFILE)) == {"build/$@.xml"}
    made = [build.SOURCE / "notebooks", build.HTML, ROOT / "build/*.xml", ROOT / "build/browser"]
    assert [ROOT / path for path in kept["with"]["path"].split()] == made


def test_the_site_that_passed_is_the_one_published():
    site = step_with("actions/upload-pages-artifact")
    assert site["if"] == ON_MAIN and ROOT / site["with"]["path"] == build.HTML
    assert STEPS.index(site) > STEPS.index(step_with(".ci/run"))


# Binder

BINDER = (ROOT / "binder/requirements.txt").read_text().splitlines()
BINDER = [line for line in BINDER if not line.startswith("#")]


def test_binder_installs_the_package_with_its_pins_and_torch_without_cuda():
    (torch,) = [pin for pin in PINS if pin.startswith("torch==")]
    index = WORKFLOW["env"]["PIP_EXTRA_INDEX_URL"]
    assert BINDER == [
        f"--extra-index-url {index}",
        "-c ../constraints.txt",
        f"{torch}+cpu",
        "-e .",
    ]
    assert index in (ROOT / "README.md").read_text()


def test_binder_takes_a_python_that_the_project_accepts():
    assert accepted((ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-"))


def test_binder_starts_with_one_thread():
    assert os.access(ROOT / "binder/start", os.X_OK)
    lines = (ROOT / "binder/start").read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert lines[-2:] == ["export OMP_NUM_THREADS=1", 'exec "$@"']


def imported(source):
    """The modules that some source imports, without those of the project."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def cells(path):
    """The code of a notebook, as Python."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            yield TransformerManager().transform_cell(cell.source)


def needed(distribution):
    """The distributions that one cannot do without."""
    for requirement in map(Requirement, importlib.metadata.requires(distribution) or []):
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


FURTHER = {"fused.py", "kernel.py", "gpu.py"}  # for those who have Numba, or a GPU


def test_what_notebooks_and_package_import_comes_with_the_package():
    package = [path for path in ROOT.glob("helpers/*.py") if path.name not in FURTHER]
    sources = [path.read_text() for path in package]
    sources += [source for path in ROOT.glob("notebooks/*.ipynb") for source in cells(path)]
    names = {name for source in sources for name in imported(source)}
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    declared |= {name for distribution in declared for name in needed(distribution)}
    distributions = importlib.metadata.packages_distributions()
    brought = {
        name
        for name, found in distributions.items()
        if declared & {canonicalize_name(distribution) for distribution in found}
    }
    assert names - sys.stdlib_module_names - {"helpers"} <= brought


# Citing


def test_the_citation_is_complete_and_of_this_version():
    required = ["cff-version", "message", "title", "abstract", "type", "authors", "keywords"]
    assert all(CITATION[key] for key in required)
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] == "software"
    assert (CITATION["version"], CITATION["license"]) == (PROJECT["version"], PROJECT["license"])


def test_the_citation_names_the_post():
    (post,) = CITATION["references"]
    assert post["authors"] == [{"family-names": "Hobson", "given-names": "Donald"}]
    assert post["date-published"] == date(2022, 7, 9)
    for file in ("README.md", "report/references.bib"):
        assert post["url"] in (ROOT / file).read_text()


def test_the_changelog_knows_this_version_and_its_date():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", f"{CITATION['version']} - {CITATION['date-released']}"]

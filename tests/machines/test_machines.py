"""Machines unlike the one where all was measured: notebooks and a slice of the tests.

Each machine is two processes, one that runs a notebook as `make report` does and one that runs
tests; what the notebook prints is what it prints where nothing is odd. Where processors differ,
its Checks speak. Other places and other processors, where more may differ, see every notebook.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

import answers
from test_notebooks import words

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "09_beyond_spirals.ipynb"  # trains, reads tables and draws, and is quick
OTHERS = sorted({path.name for path in (ROOT / "notebooks").glob("*.ipynb")} - {NOTEBOOK})
SLICE = ["tests/test_training.py", "tests/test_pruning.py", "tests/test_bundle.py"]
RUN = """
import sys
from pathlib import Path
import torch
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
import helpers
from run_notebooks import execute_all, set_environment
root, target, notebook, without = *map(Path, sys.argv[1:4]), set(sys.argv[4:])
used = {name for name in __cpu_dispatch__ if __cpu_features__[name]}
used.add(torch.backends.cpu.get_cpu_capability())
assert not used & without, used
assert Path(helpers.__file__).is_relative_to(root), helpers.__file__
set_environment(target)
execute_all([root / "notebooks" / notebook], target)
"""
READ_ONLY = """
mount --bind . "$PWD" && mount -o remount,ro,bind "$PWD" && mount -t tmpfs tmpfs "$PWD/build" &&
cd "$PWD" && ! touch README.md 2> /dev/null && exec "$0" "$@"
"""
INSIDE = """
import sys
from pathlib import Path
import test_machines
test_machines.on_read_only(*map(Path, sys.argv[1:]))
"""
# As PyTorch and NumPy call them, which knows either the first or the last of each.
AVX512 = ("AVX512", "AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL",
          "AVX512_ICL", "AVX512_SPR", "X86_V4")
AVX = ("AVX", "AVX2", "F16C", "FMA3", "X86_V3", *AVX512)
COMPILERS = ("cc", "gcc", "clang", "c++", "g++", "clang++")
ELSEWHERE = "Größe & Maß – 枝刈り 'of' nets"
NOWHERE = "/dev/null/home"  # not even root can make a folder there
HOMES = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "MPLCONFIGDIR",
         "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")


@dataclass(frozen=True)
class Machine:
    """What is odd: variables (None: not set), a shell's words, what its processor is without."""

    variables: dict = field(default_factory=dict)
    shell: str = ""
    without: tuple = ()


MACHINES = {
    "more threads than cores": Machine({"OMP_NUM_THREADS": str(1 + os.cpu_count())}),
    "no compiler": Machine({"PATH": str(Path(sys.executable).parent), "CC": None, "CXX": None}),
    "a backend": Machine({"MPLBACKEND": "svg"}),
    "no home": Machine({"HOME": NOWHERE} | dict.fromkeys(HOMES)),
    "plain locale": Machine({"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0",
                             "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}),
    "another time zone": Machine({"TZ": "Pacific/Kiritimati", "SOURCE_DATE_EPOCH": "0"}),
    "no such time zone": Machine({"TZ": "Nowhere/At_All"}),
    "no standard input": Machine(shell="<&-"),
    "few open files": Machine(shell="ulimit -n 128;"),
    "without AVX-512": Machine(
        {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
         "ONEDNN_MAX_CPU_ISA": "AVX2", "NPY_DISABLE_CPU_FEATURES": " ".join(AVX512)},
        without=AVX512),
    "without AVX": Machine(
        {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
         "ONEDNN_MAX_CPU_ISA": "SSE41", "NPY_DISABLE_CPU_FEATURES": " ".join(AVX)},
        without=AVX),
}


def run(command, machine, root):
    """Run Python with arguments on a machine, in a checkout; fail with all that it wrote."""
    paths = os.pathsep.join([str(root), str(root / "report")])
    variables = os.environ | {"PYTHONPATH": paths} | machine.variables
    variables = {name: value for name, value in variables.items() if value is not None}
    line = f'{machine.shell} exec "$0" "$@"'
    if machine.shell.startswith("<"):
        line = f'exec "$0" "$@" {machine.shell}'
    done = subprocess.run(["/bin/sh", "-c", line, sys.executable, *map(str, command)],
                          cwd=root, env=variables, capture_output=True)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text
    return text


def shown(path):
    """What a notebook shows: the text of each output, and how many pictures there are."""
    outputs = [output for _, output in answers.outputs(nbformat.read(path, as_version=4))]
    texts = [re.sub(r"at 0x[0-9a-f]+", "at ADDRESS", words(output)) for output in outputs]
    return texts, sum("image/png" in output.get("data", {}) for output in outputs)


def run_notebook(machine, root, target, notebook=NOTEBOOK):
    """Run a notebook; its Checks are asserts, so that a run that ends has passed them."""
    run(["-c", RUN, root, target, notebook, *machine.without], machine, root)
    return target / notebook


def check_notebook(machine, root, target, plain):
    """Run a notebook and compare it with how it ran where nothing is odd."""
    (texts, pictures), (plain_texts, plain_pictures) = map(
        shown, [run_notebook(machine, root, target, plain.name), plain])
    assert pictures == plain_pictures > 0
    if not machine.without:
        assert texts == plain_texts


def check_tests(machine, root):
    """Run a slice of the unit tests; pytest fails also where it finds none."""
    run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-m", "not slow", *SLICE],
        machine, root)


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The notebook as it runs on this machine, where nothing is odd."""
    return run_notebook(Machine(), ROOT, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def checkout(tmp_path):
    """Return a function that copies what a checkout holds to a folder."""
    def copy(folder):
        built = [".*", "build", "node_modules", "__pycache__", "*.egg-info"]
        return shutil.copytree(ROOT, tmp_path / folder, ignore=shutil.ignore_patterns(*built))
    return copy


@pytest.mark.parametrize("name", MACHINES)
def test_a_notebook_and_the_tests_hold_on_a_machine_with(name, tmp_path, plain, count):
    check_notebook(MACHINES[name], ROOT, tmp_path, plain)
    check_tests(MACHINES[name], ROOT)
    count("machines", 1)


def test_no_compiler_is_found_on_the_machine_without_one():
    path = MACHINES["no compiler"].variables["PATH"]
    assert [name for name in COMPILERS if shutil.which(name, path=path)] == []


@pytest.mark.parametrize("notebook", OTHERS)
def test_the_checks_of_every_notebook_hold_without_avx512(notebook, tmp_path, count):
    run_notebook(MACHINES["without AVX-512"], ROOT, tmp_path, notebook)
    count("notebooks", 1)


def test_a_checkout_lies_at_a_path_with_spaces_and_letters_beyond_ascii(
        checkout, tmp_path, plain, count):
    root = checkout(ELSEWHERE)
    check_notebook(Machine(), root, tmp_path / "out put é", plain)
    check_tests(Machine(), root)
    count("machines", 1)


@pytest.mark.parametrize("notebook", OTHERS)
def test_every_notebook_shows_the_same_elsewhere(notebook, checkout, tmp_path, count):
    plain = run_notebook(Machine(), ROOT, tmp_path / "plain", notebook)
    check_notebook(Machine(), checkout(ELSEWHERE), tmp_path / "elsewhere", plain)
    count("notebooks", 1)


def test_a_checkout_is_written_to_in_build_alone(checkout, plain, count):
    root = checkout("checkout")
    (root / "build").mkdir()
    own_mounts = ["unshare", "--map-root-user", "--mount", "/bin/sh", "-c"]
    probe = [*own_mounts, 'mount -t tmpfs tmpfs "$PWD/build"']
    if not shutil.which("unshare") or subprocess.run(probe, cwd=root).returncode:
        pytest.skip("no mounts of one's own on this machine")
    folders = [ROOT, ROOT / "report", ROOT / "tests", Path(__file__).parent]
    done = subprocess.run(
        [*own_mounts, READ_ONLY, sys.executable, "-c", INSIDE, root, plain], cwd=root, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    count("machines", 1)


def on_read_only(root, plain):
    """Check a checkout that lies under a read-only mount; called inside it."""
    check_notebook(Machine(), root, root / "build/notebooks", plain)
    check_tests(Machine(), root)


def test_a_notebook_saved_with_another_kernel_runs_in_this_one(
        checkout, tmp_path, plain, count):
    root = checkout("checkout")
    path = root / "notebooks" / NOTEBOOK
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec = {
        "name": "conda-env-other-py", "display_name": "Other", "language": "python"}
    nbformat.write(notebook, path)
    machine = Machine({"HOME": str(home_with_a_kernel(tmp_path)), "JUPYTER_PREFER_ENV_PATH": "0"}
                      | dict.fromkeys(HOMES))
    check_notebook(machine, root, tmp_path / "out", plain)
    run(["-m", "pytest", "-q", "-p", "no:cacheprovider", path], Machine(), root)
    count("machines", 1)


def home_with_a_kernel(folder):
    """A home where another Python, long gone, once installed itself as the kernel python3."""
    kernel = folder / "home/.local/share/jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["/gone/bin/python", "-f", "{connection_file}"], "display_name": "Gone",
            "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return folder / "home"


def test_make_gives_python_one_encoding_and_no_backend():
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "MPLBACKEND": "agg"}
    rule = "--eval=shown: ; @echo $${PYTHONUTF8-none} $${MPLBACKEND-none}"
    done = subprocess.run(["make", "--silent", rule, "shown"], cwd=ROOT, env=os.environ | odd,
                          text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["1", "none"]

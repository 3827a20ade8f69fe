"""No pickle, no code from text, no path from a file followed; the guides name what is there."""

import ast
import json
import re
import warnings
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from safetensors import safe_open
from safetensors.torch import save_file

import build
from examples import same_bits, tiny
from helpers import sweep
from helpers.networks import Networks
from helpers.sweep import run
from helpers.tasks import compute, load_one
from test_sweep import GRID, files

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("helpers", "report", "benchmarks", "notebooks", ".ci")
                 for ending in ("py", "ipynb") for path in (ROOT / folder).rglob(f"*.{ending}")
                 if not {"node_modules", ".ipynb_checkpoints"} & {*path.parts})
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "jsonpickle",
           "joblib"}  # they run what a file says
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"popen", "read_pickle", "to_pickle", "read_hdf", "unsafe_load", "getoutput",
           "getstatusoutput", "create_subprocess_shell"}
FUNCTIONS = {"torch.load", "torch.save", "torch.jit.load", "os.system", "yaml.load",
             "get_ipython().system",  # what `!ls` becomes
             *(f"builtins.{name}" for name in BUILTINS)}
PYTHON = {"statements"}  # magics below which stands a cell as any other
FLAGS = {"shell", "allow_pickle"}  # harmless if False stands in the source
TEXTS = {"eval", "query"}  # of tables: harmless if the text stands in the source
RUNS_A_CELL = {("helpers/statements.py", "exec"), ("helpers/statements.py", "compile")}
"""The magic `%%statements` runs the cell below it, as the notebook itself would."""


def trees(path):
    """The syntax of a module, or of each code cell of a notebook."""
    if path.suffix == ".py":
        return [ast.parse(path.read_text())]
    cells = nbformat.read(path, as_version=4).cells
    return [parsed(cell.source) for cell in cells if cell.cell_type == "code"]


def parsed(cell):
    """The syntax of a cell, which magics and commands of the shell may be part of."""
    return ast.parse(TransformerManager().transform_cell(cell))


def unsafe(tree):
    """Yield what in a syntax tree may run what data or text say."""
    imported = dict(_imported(tree))
    for whole in imported.values():
        if whole.split(".")[0] in MODULES or _runs(whole):
            yield whole
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            whole = _whole(node, imported)
            if whole in BUILTINS or _runs(whole):
                yield whole
        elif isinstance(node, ast.Call):
            yield from _unsafe_call(node)


def _imported(tree):
    """Yield the names that imports bind, and what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, f"{node.module or ''}.{alias.name}")
                        for alias in node.names)


def _whole(node, imported):
    """The path of a name, such as `torch.load` for `t.load` after `import torch as t`."""
    first, dot, rest = ast.unparse(node).partition(".")
    return imported.get(first, first) + dot + rest


def _runs(whole):
    owner, _, name = whole.rpartition(".")
    return whole in FUNCTIONS or bool(owner) and name in METHODS


def _unsafe_call(call):
    owner, _, name = ast.unparse(call.func).rpartition(".")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    texts = [*call.args[:1], *(keywords[key] for key in keywords if key == "expr")]
    if owner and name in TEXTS and not all(isinstance(text, ast.Constant) for text in texts):
        yield f"{name} of a text"
    yield from (key for key in FLAGS & {*keywords}
                if not (isinstance(keywords[key], ast.Constant) and keywords[key].value is False))
    if name == "run_cell_magic":
        magic, _, cell = (argument.value for argument in call.args)
        yield from unsafe(parsed(cell)) if magic in PYTHON else [magic]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_uses_pickle_or_runs_text(path):
    name = str(path.relative_to(ROOT))
    found = {(name, what) for tree in trees(path) for what in unsafe(tree)}
    assert found <= RUNS_A_CELL


def test_the_exceptions_are_used():
    path = ROOT / "helpers/statements.py"
    assert {what for _, what in RUNS_A_CELL} == set(unsafe(*trees(path)))


@pytest.mark.parametrize("source", [
    "import pickle", "import os, joblib.numpy_pickle", "from dill import loads", "eval('1')",
    "exec(text)", "compile(text, '', 'exec')", "__import__(name)", "builtins.eval(text)",
    "os.system('ls')", "os.popen('ls')", "subprocess.run('ls', shell=True)", "torch.load(path)",
    "subprocess.run('ls', shell=1)", "torch.save(model, path)", "pd.read_pickle(path)",
    "np.load(path, allow_pickle=True)", "table.to_pickle(path)", "table.eval(text)",
    "from os import system", "subprocess.run('ls', shell=flag)", "np.load(path, allow_pickle=flag)",
    "table.query(f'a > {b}')",
    "get_ipython().system('ls')", "!ls", "names = !ls", "subprocess.getoutput('ls')",
    "from subprocess import getoutput", "map(eval, texts)", "map(os.system, texts)",
    "import torch as t\nt.load(path)", "from torch import jit as j\nj.load(path)",
    "torch.jit.load(path)", "table.eval(expr=text)", "asyncio.create_subprocess_shell('ls')",
    "pd.read_hdf(path)", "yaml.load(text)", "%%statements\neval(text)", "%%statements\n!ls",
    "%%bash\nls -l",
    "def f():\n    from pickle import load"])
def test_the_search_finds_what_it_is_for(source):
    assert [*unsafe(parsed(source))]


@pytest.mark.parametrize("source", [
    "re.compile('a')", "model.eval()", "table.query('a > 0')", "platform.system()",
    "json.loads(text)", "np.load(path)", "from re import compile\ncompile('a')",
    "import torch as t\nt.tensor(1)", "table.eval(expr='a + b')", "%%statements\nassert a > 0",
    "%matplotlib inline", "yaml.safe_load(text)",
    "subprocess.run(['ls'], shell=False)", "executed(text)", "np.load(path, allow_pickle=False)"])
def test_the_search_lets_the_rest_pass(source):
    assert not [*unsafe(parsed(source))]


# Paths in files

ELSEWHERE = ("../elsewhere", "/etc/passwd", "file:///etc/passwd", "..")
LOSS = "A_held_out_loss"


@pytest.mark.parametrize("place", ELSEWHERE)
def test_paths_in_the_metadata_of_a_sweeps_files_are_not_followed(place, monkeypatch, tmp_path):
    """Where the first of the places leads, there is another table of the same task."""
    folder, task = tmp_path / "sweep", GRID.tasks()[0]
    one = type(GRID)(**{**vars(GRID), "data_seeds": (0,)})
    table = run(one, folder)
    path = folder / task.name
    held = pq.read_table(path)
    pq.write_table(louder_loss(held), tmp_path / "elsewhere", write_page_checksum=True)
    metadata = {**held.schema.metadata, b"path": place.encode(), b"folder": place.encode(),
                b"filename": place.encode()}
    pq.write_table(held.replace_schema_metadata(metadata), path)
    before = files(tmp_path), files(folder)
    monkeypatch.setattr(sweep, "compute", None)
    with warnings.catch_warnings(action="error"):
        assert run(one, folder).equals(table)
    assert (files(tmp_path), files(folder)) == before


def louder_loss(held):
    place = held.schema.names.index(LOSS)
    return held.set_column(place, held.schema.field(place), pc.add(held[LOSS], 1))


def test_a_column_chunk_in_another_file_is_not_read(tmp_path):
    """Parquet's footer may name another file for a column; the reader has to stay in its own."""
    task, path = GRID.tasks()[0], tmp_path / GRID.tasks()[0].name
    path.write_bytes(content := compute(task))
    table, metadata = load_one(task, path), pq.read_metadata(path)
    other = louder_loss(pq.read_table(path))
    pq.write_table(other, tmp_path / "other.parquet", write_page_checksum=True)
    assert not load_one(task, tmp_path / "other.parquet").equals(table)
    metadata.set_file_path("other.parquet")
    metadata.write_metadata_file(tmp_path / "footer")
    path.write_bytes(content[:-8 - int.from_bytes(content[-8:-4], "little")]
                     + (tmp_path / "footer").read_bytes()[4:])
    assert pq.read_metadata(path).row_group(0).column(0).file_path == "other.parquet"
    with warnings.catch_warnings(action="ignore"):  # a reader may refuse such a file instead
        found = load_one(task, path)
    assert found is None or found.equals(table)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_paths_in_the_metadata_of_weights_are_not_followed(place, tmp_path):
    """Where the first of the places leads, there are other networks."""
    networks, path = tiny(2), tmp_path / "own" / "networks.safetensors"
    path.parent.mkdir()
    networks.save(path)
    tiny(3).save(tmp_path / "elsewhere")
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dictionary)
        seeds = file.metadata()["seeds"]
    save_file(tensors, path, metadata={"seeds": seeds, "path": place, "weights": place})
    assert same_bits(Networks.load(path), networks)
    save_file(tensors, path, metadata={"seeds": json.dumps(place)})
    with pytest.raises(ValueError, match="has seeds"):
        Networks.load(path)
    save_file({place: tensors["biases.0"].clone(), **tensors}, path, metadata={"seeds": seeds})
    with pytest.raises(ValueError, match="expected saved Networks"):
        Networks.load(path)
    assert files(tmp_path) == {"own", "elsewhere"} and files(path.parent) == {path.name}


@pytest.mark.parametrize("problem", ["moons ../elsewhere=3", "../elsewhere", "moons n_train=60/.."])
def test_names_of_settings_cannot_be_paths(problem):
    with pytest.raises(ValueError, match="problem is "):
        type(GRID)((problem,))


def test_names_of_tasks_are_names_of_files():
    content = compute(GRID.tasks()[0])
    assert content[:4] == b"PAR1" and re.fullmatch(r"[0-9a-f]{20}\.parquet", GRID.tasks()[0].name)


@pytest.mark.parametrize("given", ["/etc/01_data.ipynb", "notebooks/../01_data.ipynb",
                                   "01_data.ipynb", "notebooks/99_missing.ipynb", "notebooks"])
def test_only_the_studys_own_notebooks_are_refreshed(given, monkeypatch):
    monkeypatch.setattr(build, "execute_all", None)
    with pytest.raises(ValueError, match=f"notebook is '{given}'; expected one of those in"):
        build.refresh([Path(given)])


# The guides

GUIDES = [ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_a_guide_names_only_what_is_there_and_no_person(path):
    text = path.read_text()
    targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"`make ([\w.-]+)", text)
    assert named and all(any(fnmatch(name, target.replace("%", "*")) for target in targets)
                         for name in named)
    paths = re.findall(r"`((?:helpers|tests|report|notebooks|results|benchmarks)/[\w./]*)`", text)
    assert paths and all((ROOT / place).exists() for place in paths)
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert all((ROOT / place).exists() for place in links)
    assert not re.search(r"[\w.]+@[\w.]+", text) and len(text.split()) < 310
    assert f"]({path.name})" in (ROOT / "README.md").read_text()

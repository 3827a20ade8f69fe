"""Killed writers, full disks, read-only folders, damaged files, two sweeps at once: nothing
finished is lost, nothing half written stands under a final name, and the resumed table is the same.
"""

import ast
import errno
import json
import os
import re
import signal
import sys
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import build
import faults
import render
from examples import FEW, refuses
from faults import CALLS, FORBIDDEN, FORKED, OLD, WRITERS, at_call, forked, names_in
from helpers import bound_tables, files, ladders, results, sweep, vectors
from helpers.arms import Setting
from helpers.sweep import read, run
from helpers.tasks import check_origin, compute, load_one, seconds_of, tables
from test_sweep import GRID, MOONS, names

KILLED, MOMENTS = -signal.SIGKILL, 20
ORDER = "write", "flush", "fsync", "replace"  # of writing one file


@pytest.fixture(scope="module")
def contents():
    """The files of the tasks of GRID, by name."""
    return {task.name: compute(task) for task in GRID.tasks()}


@pytest.fixture(scope="module")
def table(contents, tmp_path_factory):
    """The table of a sweep that nothing disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return read(GRID, folder)


@pytest.fixture
def recomputed(contents, monkeypatch):
    """What a sweep computes from now on, at once: the names of its tasks."""
    computed = []

    def known(task):
        computed.append(task.name)
        return contents[task.name]

    monkeypatch.setattr(sweep, "compute", known)
    return computed


def whole(folder, contents):
    """Names of the finished tasks in a folder, each of which has to be whole."""
    found = {path.name for path in folder.glob("*.parquet")}
    assert all((folder / name).read_bytes() == contents[name] for name in found)
    return found


def resumes(folder, contents, table, recomputed):
    """Assert that a sweep goes on: only what is missing is computed, the table is the same."""
    finished = whole(folder, contents)
    recomputed.clear()
    with warnings.catch_warnings(action="error"):
        assert run(GRID, folder).equals(table)
    assert set(recomputed) == names(GRID) - finished and len(recomputed) == 3 - len(finished)
    assert whole(folder, contents) == names(GRID)


# Killed


def points(folder, contents, monkeypatch):
    """What there is to be killed at in an undisturbed sweep."""
    monkeypatch.setattr(sweep, "compute", lambda task: contents[task.name])
    try:
        met = at_call(-1, None)
        run(GRID, folder)
    finally:
        sys.setprofile(None)
    return met


def test_a_sweep_killed_before_and_after_each_write_point_goes_on(
        contents, table, recomputed, monkeypatch, tmp_path, count):
    with monkeypatch.context() as patch:
        met = points(tmp_path / "whole", contents, patch)
    assert {name for name, _ in met} >= {*CALLS} - {"close"}
    steps = [name for name, event in met if event == "c_call" and name in ORDER]
    assert steps == [*ORDER] * 3, "else a machine that stops keeps names without content"
    finished = set()
    for number, point in enumerate(met):
        folder = tmp_path / str(number)
        assert forked(faults.killed_at_call, number, GRID, folder, contents) == KILLED, point
        folder.mkdir(exist_ok=True)  # killed before it was made
        finished.add(len(whole(folder, contents)))
        resumes(folder, contents, table, recomputed)
        count("kills", 1)
    assert finished == {0, 1, 2, 3}


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999, 1])
def test_a_sweep_killed_during_a_write_goes_on(share, number, contents, table, recomputed, tmp_path,
                                               count):
    assert forked(faults.killed_in_write, number, share, GRID, tmp_path, contents) == KILLED
    assert len(whole(tmp_path, contents)) == number - 1
    resumes(tmp_path, contents, table, recomputed)
    count("kills", 1)


def held(folder):
    """What the tasks in a folder hold, without how long each took."""
    return {path.name: pq.read_table(path).replace_schema_metadata()
            for path in folder.glob("*.parquet")}


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_goes_on(monkeypatch, tmp_path, count):
    """Moments in calls made, the same wherever this runs; sweeps really compute until then."""
    grid = replace(GRID, recipes=(replace(FEW, steps=2),), cuts=GRID.cuts[1:], floors=())
    undisturbed, finished = tmp_path / "whole", set()
    assert forked(faults.counted, grid, undisturbed, tmp_path / "calls") == 0
    calls = int((tmp_path / "calls").read_text())
    table, whole = read(grid, undisturbed), held(undisturbed)
    monkeypatch.setattr(sweep, "compute", lambda task: (undisturbed / task.name).read_bytes())
    for number in np.random.default_rng(0).integers(calls, size=MOMENTS):
        folder = tmp_path / str(number)
        assert forked(faults.killed_after, int(number), grid, folder) == KILLED
        count("kills", 1)
        folder.mkdir(exist_ok=True)
        before = {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
        with warnings.catch_warnings(action="error"):
            assert run(grid, folder).equals(table)
        assert held(folder) == whole
        assert all(path.stat().st_mtime_ns == time for path, time in before.items())
        finished.add(len(before))
    assert len(finished) > 1


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_that_is_killed_leaves_the_file_as_it_was(name, share, tmp_path, count):
    path = tmp_path / "file"
    assert forked(faults.killed_in_writer, name, share, path) == KILLED
    assert not path.exists()
    WRITERS[name](False, path)
    before = path.read_bytes()
    assert forked(faults.killed_in_writer, name, share, path) == KILLED
    assert path.read_bytes() == before
    WRITERS[name](True, path)
    assert path.read_bytes() != before
    count("kills", 2)


def test_every_table_and_page_is_written_by_what_survives_a_kill(monkeypatch, tmp_path):
    """What bypasses `files.write` would write here all the same."""
    def refused(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(files, "write", refused)
    monkeypatch.setattr(bound_tables, "tasks", lambda: [])
    monkeypatch.setattr(bound_tables, "TABLES", {})
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "_summaries", lambda *_: [(OLD, OLD)])
    monkeypatch.setattr(vectors, "vectors", dict)
    monkeypatch.setattr(build, "execute_all", lambda *_: None)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    for call in (lambda: results.write(tmp_path), lambda: vectors.write(tmp_path / "vectors"),
                 lambda: build.write_headline(build.read(render.ROOT / "notebooks"), tmp_path)):
        with pytest.raises(OSError, match="No space left"):
            call()
    assert names_in(tmp_path) == {"results"} and not names_in(tmp_path / "results")


BARE = re.compile(r".*\.(write_text|write_bytes|savefig|save_file|to_(csv|json|parquet))|save_file|"
                  r"json\.dump|nbformat\.write|np\.save\w*|pq\.write_table")
TO_WRITE = re.compile("[rbt]*[wax+][bt+]*")  # modes of `open`
PASSING = {  # into memory, or into a folder that is thrown away or takes its place as a whole
    "helpers/files.py": ["open", "to_parquet"], "helpers/tasks.py": ["write_table"],
    "report/build.py": ["write_bytes", "write_text"], "report/gpu_page.py": ["write_text"],
    "report/finish.py": ["write_bytes", "write_text"], "report/social.py": ["savefig"],
    "report/playground_page.py": ["write_text"] * 3,
    "report/speed_page.py": ["savefig", "write_text"],
    "report/reruns.py": ["write", "write_bytes", "write_text"],
    "benchmarks/playground.py": ["write_text"] * 2}


def bare_writes(source):
    """Names of the calls that write a file where it stands, sorted."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sorted(ast.unparse(call.func).split(".")[-1] for call in calls if writes(call))


def writes(call):
    name = ast.unparse(call.func)
    words = [*call.args, *(keyword.value for keyword in call.keywords)]
    modes = [word.value for word in words if isinstance(word, ast.Constant)]
    return BARE.fullmatch(name) or name.split(".")[-1] == "open" and any(
        TO_WRITE.fullmatch(str(mode)) for mode in modes)


@pytest.mark.parametrize("source", [
    "path.write_text(text)", "(folder / 'a').write_bytes(b'')", "open(path, 'w')",
    "path.open('xb')", "open(path, mode='r+')", "json.dump(found, file)", "np.savez(path, a=a)",
    "table.to_parquet(path)", "pq.write_table(table, path)", "figure.savefig(path)"])
def test_the_search_for_bare_writes_finds_them(source):
    assert bare_writes(source) and not bare_writes("open(path, 'rb')\npath.read_text()")


def test_no_module_writes_a_file_that_is_kept_where_it_stands():
    """But through `helpers.files`, so that it is whole or not there."""
    found = {str(path.relative_to(render.ROOT)): bare_writes(path.read_text())
             for folder in ("helpers", "report", "benchmarks", ".ci")
             for path in sorted((render.ROOT / folder).glob("*.py"))}
    assert {name: calls for name, calls in found.items() if calls} == PASSING


def test_results_killed_on_their_way_are_not_up_to_date(monkeypatch, tmp_path):
    """Tables of other settings may be there already: what tells of them goes first."""
    (tmp_path / "provenance.json").write_text("{}")
    seen = []
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    for name in "missing", "complete":
        monkeypatch.setattr(bound_tables, name, lambda *_: 1)
    monkeypatch.setattr(results, "complete", lambda *_: 1)
    monkeypatch.setattr(bound_tables, "write_tables", lambda *_: seen.append(names_in(tmp_path)))
    monkeypatch.setattr(results, "write", lambda *_: seen.append("the rest"))
    results.main(["--workers", "1", "--folder", str(tmp_path / "sweep")])
    assert seen == [set(), "the rest"]


def test_a_site_takes_its_place_when_it_is_finished(monkeypatch, tmp_path):
    """Whatever fails on the way, the site before it stays."""
    html = tmp_path / "html"
    source = tmp_path / "report"
    source.mkdir()
    for name, value in (("BUILD", tmp_path), ("HTML", html), ("SOURCE", tmp_path / "source"),
                        ("ROOT", tmp_path)):
        monkeypatch.setattr(build, name, value)
    for name in "execute_all", "write_sources", "read", "finish", "check_figures":
        monkeypatch.setattr(build, name, lambda *_: None)
    for module in build.playground_page, build.speed_page:
        monkeypatch.setattr(module, "write", lambda *_: None)

    def rendered(_, folder):
        folder.mkdir()
        (folder / "index.html").write_text(text)

    def failing(*_):
        raise ValueError("a page is missing")

    monkeypatch.setattr(build, "sphinx", rendered)
    for text in "first", "second":
        build.build_site()
        assert (html / "index.html").read_text() == text
    text = "third"
    for name in "check_figures", "finish":
        monkeypatch.setattr(build, name, failing)
        with pytest.raises(ValueError, match="a page is missing"):
            build.build_site()
        assert (html / "index.html").read_text() == "second"
    assert names_in(tmp_path) == {"report", "source", "html"}


# Disks


def on_small_disk(folder, options, action, *arguments):
    if not sys.platform.startswith("linux"):
        pytest.skip("memory disks of one process are Linux's")
    ends_well(faults.in_own_mounts, folder, options, action, *arguments)


def ends_well(function, *arguments):
    exit_code = forked(function, *arguments)
    if exit_code == FORBIDDEN:
        pytest.skip("this machine permits no memory disk, or no user, of one's own")
    assert exit_code == 0


def test_a_full_disk_loses_only_what_does_not_fit(contents, table, tmp_path):
    """A memory disk for any two of three tasks; it grows, and the sweep goes on."""
    page = os.sysconf("SC_PAGE_SIZE")  # what a file takes is whole pages of it
    pages = [-(-len(content) // page) for content in contents.values()]
    size = page * (sum(pages) - -(-min(pages) // 2))
    on_small_disk(tmp_path, f"size={size}", faults.filled, GRID, contents, table)


def test_a_disk_that_becomes_read_only_loses_nothing(contents, table, tmp_path):
    on_small_disk(tmp_path, "size=8m", faults.made_read_only, GRID, contents, table)


def test_a_write_that_stops_half_way_leaves_nothing(contents, table, tmp_path):
    """A stand-in for a full disk that every system permits: the system's limit of a file's size."""
    assert forked(faults.limited, GRID, tmp_path, contents, table) == 0


def test_a_folder_without_permission_is_refused_before_any_work(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    ends_well(faults.without_permission, tmp_path / "closed", GRID)


def test_a_file_that_is_none_is_not_replaced(tmp_path):
    """A folder, a device or a pipe under the name of a table is no table of ours."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in "pipe", "folder":
        with pytest.raises(OSError, match=f"not a regular file.*{name}"):
            files.write(tmp_path / name, b"new")
    assert (tmp_path / "pipe").is_fifo() and names_in(tmp_path) == {"pipe", "folder"}


def test_a_link_to_a_file_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there/file")
    for content in b"first", b"second":
        files.write(tmp_path / "link", content)
        assert (tmp_path / "there/file").read_bytes() == content
    assert (tmp_path / "link").is_symlink() and names_in(tmp_path / "there") == {"file"}


# Damaged files

KINDS = {"of a sweep": GRID.tasks()[0], "of bounds": bound_tables.Task(
    "bounds", Setting(MOONS, hidden=(6, 6), recipe=FEW, seeds=(4, 7), floors=()))}


@cache
def content_of(kind):
    return compute(KINDS[kind])


@pytest.fixture(params=KINDS)
def stored(request, monkeypatch, tmp_path):
    """A task of either kind, the place of its file and what it holds."""
    monkeypatch.setattr(ladders, "RANKED_BY", ("random", "std"))
    task, content = KINDS[request.param], content_of(request.param)
    path = tmp_path / task.name
    path.write_bytes(content)
    return task, path, content


def test_no_byte_flipped_anywhere_changes_a_table(stored):
    """Every 499th byte; what may be flipped unnoticed changes nothing, such as how long it took."""
    task, path, content = stored
    whole, noticed = load_one(task, path), []
    with warnings.catch_warnings(action="ignore"):
        for place in range(0, len(content), 499):
            for bit in 1, 128:
                spoilt = bytearray(content)
                spoilt[place] ^= bit
                path.write_bytes(spoilt)
                found = load_one(task, path)
                noticed.append(found is None)
                assert found is None or found.equals(whole), (place, bit)
    assert 0.3 < np.mean(noticed)


def test_no_file_cut_short_is_read(stored):
    task, path, content = stored
    for length in [*range(0, len(content), 997), *range(len(content) - 12, len(content))]:
        path.write_bytes(content[:length])
        with pytest.warns(RuntimeWarning, match="is damaged or foreign"):
            assert load_one(task, path) is None, length
    path.write_bytes(content)
    assert load_one(task, path) is not None


def with_text(held, text):
    return held.replace_schema_metadata({**held.schema.metadata, b"task": text})


def of_newer_version(held):
    text = json.loads(held.schema.metadata[b"task"])
    text["version" if isinstance(text, dict) else 0] += 1
    return with_text(held, json.dumps(text, sort_keys=True).encode())


def of_another_task(held):
    text = held.schema.metadata[b"task"].replace(b'"learning_rate": 0.01', b'"learning_rate": 0.1')
    return with_text(held, text)


def cast(name, kind):
    """Both kinds of tasks have columns of these names."""
    return lambda held: held.set_column(held.schema.names.index(name), name,
                                        held.column(name).cast(kind))


FOREIGN = {
    "that does not say of what": lambda held: held.replace_schema_metadata(),
    "of another task": of_another_task, "of a newer version": of_newer_version,
    "with a column more": lambda held: held.append_column("later", held.column(0)),
    "with a column less": lambda held: held.drop_columns([held.schema.names[-1]]),
    "with columns in another order": lambda held: held.select(held.schema.names[::-1]),
    "with a measure in half precision": cast("loss_change", pa.float16()),
    "with a measure as text": cast("loss_change", pa.string()),
    "with a number as text": cast("fraction", pa.string()),
    "with a text as bytes": cast("criterion", pa.large_binary()),
    "with a row less": lambda held: held.slice(1), "without rows": lambda held: held.slice(0, 0),
    "with every row twice": lambda held: pa.concat_tables([held, held])}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_foreign_and_newer_files_are_named_and_computed_again(change, stored, monkeypatch):
    task, path, content = stored
    pq.write_table(change(pq.read_table(path)), path, write_page_checksum=True)
    monkeypatch.setattr(sweep, "compute", lambda _: content)
    with pytest.warns(RuntimeWarning, match=f"{path.name} is damaged or foreign"):
        assert sweep.finish([task], path.parent, None, "") == 1
    assert path.read_bytes() == content and names_in(path.parent) == {path.name}


ODD = pa.table({"later": [1.0]})
SAID = ODD.replace_schema_metadata({"task": "of"})


@refuses(
    (lambda: KINDS["of a sweep"].check(ODD), ValueError, "it holds something else"),
    (lambda: KINDS["of bounds"].check(ODD), ValueError, "it holds something else"),
    (lambda: check_origin(SAID, "of", {"later": {pa.float32()}}), ValueError, "its columns are n"),
    (lambda: check_origin(SAID, "or", {"later": {pa.float64()}}), ValueError, "it holds something"),
    (lambda: seconds_of(ODD.schema), ValueError, "it does not say how long its task took"),
    (lambda: tables(GRID.tasks(), Path("gone")), FileNotFoundError, "gone lacks 3 of 3 tasks; run"),
)
def test_tables_of_something_else_and_those_missing_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", bound_tables.TABLES)
def test_every_table_of_bounds_is_known_again_and_nothing_else_for_it(name, monkeypatch, tmp_path):
    monkeypatch.setattr(ladders, "MOMENTS", (5, 10))
    monkeypatch.setattr(ladders, "RANKED_BY", ("random", "std"))
    task = replace(KINDS["of bounds"], table=name)
    monkeypatch.setattr(bound_tables, "tasks", lambda: [task])
    path = tmp_path / task.name
    assert bound_tables.complete(tmp_path) == 1 and path.exists()
    before = path.read_bytes()
    with warnings.catch_warnings(action="error"):
        assert bound_tables.complete(tmp_path) == 0
    assert path.read_bytes() == before
    OLD.to_parquet(path)
    with pytest.warns(RuntimeWarning, match=f"{path.name} is damaged or foreign"):
        assert bound_tables.missing(tmp_path) == [task]


def test_a_table_is_read_from_its_file_alone(tmp_path):
    """Pandas 3.1 with PyArrow 18 makes columns of folders' names, unless told not to."""
    path = files.writable_file(tmp_path / "kind=new" / "seeds=3" / "all.parquet")
    files.write_table(path, OLD)
    assert files.read_table(path).equals(OLD)


# Two sweeps on one folder


def test_a_sweep_inside_each_step_of_another_does_not_disturb_it(contents, table, monkeypatch,
                                                                 tmp_path):
    """Before and after each call by which one sweep writes, another runs from start to end."""
    with monkeypatch.context() as patch:
        met = points(tmp_path / "whole", contents, patch)
    monkeypatch.setattr(sweep, "compute", lambda task: contents[task.name])
    for number, point in enumerate(met):
        folder, tables = tmp_path / str(number), []

        def other(folder=folder, tables=tables):
            sys.setprofile(None)
            tables.append(run(GRID, folder))

        try:
            at_call(number, other)
            tables.append(run(GRID, folder))
        finally:
            sys.setprofile(None)
        assert len(tables) == 2 and all(found.equals(table) for found in tables), point
        assert whole(folder, contents) == names(GRID) == names_in(folder), point


def test_two_sweeps_at_once_give_one_table(contents, table, tmp_path, count):
    """A third begins with them and is killed."""
    folder, barrier, begun = tmp_path / "sweep", FORKED.Barrier(3), FORKED.Event()
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    processes = [FORKED.Process(target=faults.one_of_several,
                                args=(barrier, begun, GRID, folder, contents, path))
                 for path in paths]
    killed = FORKED.Process(target=faults.killed_among_several,
                            args=(barrier, begun, 8, GRID, folder, contents))
    for process in (*processes, killed):
        process.start()
    for process in (*processes, killed):
        process.join(120)
    assert [process.exitcode for process in (*processes, killed)] == [0, 0, KILLED]
    count("kills", 1)
    assert all(pd.read_parquet(path).equals(table) for path in paths)
    assert read(GRID, folder).equals(table)
    assert {name for name in names_in(folder) if not name.startswith(".")} == names(GRID)
    assert not table.duplicated(["data_seed", "seed", "criterion"]).any()

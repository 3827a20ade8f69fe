"""A sweep gives one table however it was computed, interrupted or damaged, and loses no work."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from examples import FEW, refuses
from helpers import command, sweep, tasks
from helpers.arms import ARMS, Cut, Setting, cuts
from helpers.command import main
from helpers.measures import COLUMNS, rows
from helpers.recipes import Recipe
from helpers.sweep import Grid, cluster, complete, read, run, timing
from helpers.tasks import Task, compute

ROOT = Path(__file__).resolve().parents[1]
MOONS = "moons n_train=60 n_test=40"
CUTS = (Cut(fine_tune_steps=3, arms=ARMS), Cut("random", 0.3))
GRID = Grid((MOONS,), (0, 1, 5), ((6, 6),), recipes=(FEW,), seeds=2, cuts=CUTS)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return run(GRID, tmp_path_factory.mktemp("sweep"))


@pytest.fixture
def computed(monkeypatch):
    """The tasks computed from now on, in this process."""
    tasks = []

    def counted(task):
        tasks.append(task)
        return compute(task)

    monkeypatch.setattr(sweep, "compute", counted)
    return tasks


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr(sweep, "compute", None)


def files(folder):
    """Names of all files, hidden ones too."""
    return {path.name for path in folder.iterdir()}


def names(grid):
    return {task.name for task in grid.tasks()}


def after_writing(monkeypatch, count, action):
    """Do something once, when so many files were written."""
    write, written = sweep.write, []

    def counted(path, content):
        write(path, content)
        written.append(path)
        if len(written) == count:
            action()

    monkeypatch.setattr(sweep, "write", counted)
    return written


# The table


def test_the_table_is_every_task_in_order(table):
    settings = [Setting(MOONS, draw, (6, 6), "glorot_uniform", FEW, (start, start + 1))
                for draw, start in ((0, 0), (1, 10_000), (5, 50_000))]
    expected = pd.concat([rows(setting, CUTS) for setting in settings], ignore_index=True)
    assert list(table.columns) == list(COLUMNS)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_every_axis_is_combined(tmp_path):
    grid = Grid((MOONS, "xor n_train=60 n_test=40"), (0, 1), ((5,), (4, 3)),
                ("glorot_uniform", "he_uniform"), (FEW, replace(FEW, optimiser="sgd")), seeds=1,
                floors=(), cuts=cuts(("std", "random")))
    found = run(grid, tmp_path)
    axes = ["problem", "hidden", "scheme", "optimiser", "data_seed", "criterion", "seed"]
    assert found[axes].drop_duplicates().shape == (64, 7) == (len(found), 7)
    assert (found.seed == 10_000 * found.data_seed).all()
    assert found.dense_vs_other_order_held_out_distance.isna().all()


def test_settings_may_be_integers_in_some_tasks_and_fractions_in_others(tmp_path):
    rates = 1, 0.1
    grid = replace(GRID, data_seeds=(0,), recipes=tuple(replace(FEW, learning_rate=rate)
                                                        for rate in rates))
    assert run(grid, tmp_path).learning_rate.tolist() == [rate for rate in rates for _ in range(4)]


def test_seeds_come_in_chunks_of_tasks(monkeypatch, tmp_path):
    sizes = [len(task.setting.seeds) for task in Grid(seeds=250).tasks()]
    assert sizes == [100, 100, 50]
    monkeypatch.setattr(sweep, "CHUNK", 2)
    found = run(replace(GRID, seeds=3, data_seeds=(0, 1)), tmp_path)
    assert found.seed.tolist() == [0, 1, 0, 1, 2, 2, *range(10_000, 10_002),
                                   *range(10_000, 10_002), 10_002, 10_002]
    assert len(files(tmp_path)) == 4


def test_the_callers_threads_come_back(tmp_path):
    torch.set_num_threads(2)
    try:
        compute(GRID.tasks()[0])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


# Going on


def test_nothing_finished_is_computed_again(table, computed, tmp_path):
    assert complete([GRID], tmp_path) == 3 == len(computed)
    assert files(tmp_path) == names(GRID)
    assert complete([GRID], tmp_path) == 0
    assert run(GRID, tmp_path).equals(table) and len(computed) == 3
    (tmp_path / GRID.tasks()[1].name).unlink()
    assert run(GRID, tmp_path).equals(table)
    assert [task.name for task in computed[3:]] == [GRID.tasks()[1].name]


def test_grids_share_their_tasks(computed, tmp_path):
    more = replace(GRID, data_seeds=(7, 5, 1))
    assert complete([GRID, more], tmp_path) == 4 == len(computed)
    assert files(tmp_path) == names(GRID) | names(more)
    assert read(more, tmp_path).data_seed.unique().tolist() == [7, 5, 1]


@pytest.mark.parametrize("finished", [0, 1, 2])
def test_an_interrupted_sweep_continues(table, computed, finished, monkeypatch, tmp_path):
    def interrupted(task):
        if len(computed) == finished:
            raise KeyboardInterrupt
        return counted(task)

    counted = sweep.compute
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "compute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(GRID, tmp_path)
    assert len(files(tmp_path)) == finished
    with pytest.raises(FileNotFoundError, match=f"lacks {3 - finished} of 3 tasks.*run it again"):
        read(GRID, tmp_path)
    assert run(GRID, tmp_path).equals(table)
    assert len(computed) == 3


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def flip_data(path):
    """Flip a byte at the end of what a column holds."""
    group = pq.read_metadata(path).row_group(0)
    place = list(COLUMNS).index("A_held_out_loss")
    flip(path, group.column(place).data_page_offset + group.column(place).total_compressed_size - 2)


def flip_schema(path, offset):
    """Flip a byte near to where the schema has a column: at -3 its type, from 2 on its name."""
    flip(path, path.read_bytes().index(b"\x18\x0bdense_stuck") + offset)


def foreign(path):
    pd.DataFrame({"a": [1.0]}).to_parquet(path)


def of_another_task(path):
    path.write_bytes(compute(replace(GRID, data_seeds=(9,)).tasks()[0]))


def with_seconds(path, said):
    held = pq.read_table(path)
    metadata = {key: value for key, value in held.schema.metadata.items() if key != b"seconds"}
    pq.write_table(held.replace_schema_metadata(metadata | said), path, write_page_checksum=True)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""), "cut short": cut_short,
    "text": lambda path: path.write_text("notes\n"), "foreign": foreign,
    "of another task": of_another_task, "without its time": lambda path: with_seconds(path, {}),
    "with a time that is none": lambda path: with_seconds(path, {b"seconds": b"q.5"}),
    "flipped in the data": flip_data, "flipped in a name": lambda path: flip_schema(path, 3),
    "flipped in a type": lambda path: flip_schema(path, -3),
    "flipped at the end": lambda path: flip(path, -1)}


@pytest.mark.parametrize("spoil", DAMAGES.values(), ids=DAMAGES)
def test_damaged_files_are_named_and_computed_again(spoil, table, computed, tmp_path):
    run(GRID, tmp_path)
    path = tmp_path / GRID.tasks()[1].name
    spoil(path)
    with pytest.warns(RuntimeWarning, match=f"{path} is damaged or foreign") as caught:
        assert run(GRID, tmp_path).equals(table)
    assert len(caught) == 1 and len(computed) == 4
    with warnings.catch_warnings(action="error"):
        assert run(GRID, tmp_path).equals(table)
    assert timing([GRID], tmp_path)[0] > 0


def test_no_flipped_byte_goes_unnoticed(table, computed, tmp_path):
    """What may: bytes that change nothing of the table, such as how long it took."""
    (task, *_), part = GRID.tasks(), table.iloc[:4]
    whole = compute(task)
    (path := tmp_path / task.name).write_bytes(whole)
    generator, noticed = np.random.default_rng(0), 0
    with warnings.catch_warnings(action="ignore"):
        for place in generator.integers(len(whole), size=150):
            path.write_bytes(whole)
            flip(path, place)
            found = tasks.load_one(task, path)
            noticed += found is None
            assert found is None or found.to_pandas().equals(part), place
    assert noticed > 50


def test_other_files_are_left_alone(table, tmp_path):
    foreign(tmp_path / "other.parquet")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".hidden").mkdir()
    before = (tmp_path / "other.parquet").read_bytes()
    assert run(GRID, tmp_path).equals(table)
    assert (tmp_path / "other.parquet").read_bytes() == before
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert files(tmp_path) == names(GRID) | {"other.parquet", "notes.txt", ".hidden"}


@pytest.mark.parametrize("folder", ["new/and/deep", "seeds=3", "two words"])
def test_a_folder_may_have_any_name(folder, table, tmp_path):
    assert run(GRID, tmp_path / folder).equals(table)
    assert run(GRID, str(tmp_path / folder)).equals(table)


# What goes wrong


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(no_work, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in tmp_path / "file", tmp_path / "file" / "below":
        with pytest.raises(OSError, match="folder cannot be written") as caught:
            run(GRID, folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_full_disk_loses_only_what_cannot_be_written(call, table, computed, monkeypatch,
                                                       tmp_path):
    def full(*_):
        if len(computed) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*_)

    original = getattr(os, call)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="cannot write the file .*No space left") as caught:
            run(GRID, tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert str(tmp_path / GRID.tasks()[1].name) in str(caught.value)
    assert files(tmp_path) == {GRID.tasks()[0].name}
    assert run(GRID, tmp_path).equals(table) and len(computed) == 4


# four points with half of the labels flipped: of draw 2 all are of one class
FAILING = Grid(("spirals n_train=4 n_test=8 label_noise=0.5",), (0, 2, 4), ((3,),),
               recipes=(replace(FEW, batch_size=2),), seeds=2, cuts=(Cut(),))
REST = replace(FAILING, data_seeds=(0, 4))
FAILURE = (r"spirals n_train=4 .*data seed 2, hidden \(3,\), Recipe.*steps=20.*seeds 20000 to 20001"
           ": ValueError: the training part of spirals holds one class")


def test_a_task_that_fails_is_named_and_what_came_before_stays(computed, tmp_path):
    with pytest.raises(RuntimeError, match=FAILURE) as caught:
        run(FAILING, tmp_path)
    assert "\n" not in str(caught.value) and isinstance(caught.value.__cause__, ValueError)
    assert files(tmp_path) == {FAILING.tasks()[0].name}
    assert run(REST, tmp_path).data_seed.unique().tolist() == [0, 4] and len(computed) == 3


@refuses(
    (lambda: compute(FAILING.tasks()[1]), RuntimeError, FAILURE),
    (lambda: next(sweep.computed(compute, FAILING.tasks()[1:], ROOT, None)), RuntimeError, FAILURE),
)
def test_whatever_computes_a_task_that_fails_names_it(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_error_of_several_lines_is_told_in_one(monkeypatch):
    def failing(*_):
        raise ValueError("too\n  much")

    monkeypatch.setattr(tasks, "rows", failing)
    with pytest.raises(RuntimeError, match="seeds 20000 to 20001: ValueError: too much$"):
        compute(FAILING.tasks()[1])


def grid(**changes):
    return lambda: replace(GRID, **changes)


@refuses(
    *((grid(**{axis: ()}), ValueError, f"{axis} is empty; expected at least one")
      for axis in ("problems", "data_seeds", "hidden", "schemes", "recipes", "cuts")),
    *((grid(**{axis: getattr(GRID, axis)[:1] * 2}), ValueError, f"{axis} holds .* more than once")
      for axis in ("problems", "data_seeds", "hidden", "schemes", "recipes", "cuts")),
    (grid(cuts=(Cut(), Cut(arms=("B",)))), ValueError, r"cuts holds Cut\(.* more than once; .*all"),
    (grid(problems="moons"), TypeError, "problems is 'moons'; expected several"),
    (grid(problems=("rings",)), ValueError, "problem is 'rings'; expected one of 'spirals'"),
    (grid(problems=("moons rings=3",)), ValueError, "problem is 'moons rings=3': .*'rings'"),
    (grid(problems=("moons seed=3",)), ValueError, "problem is 'moons seed=3': .*'seed'"),
    (grid(problems=("moons n_train=9.5",)), ValueError, "problem is 'moons n_train=9.5': n_train"),
    (grid(problems=("moons n_train=2",)), ValueError, "n_train is 2; expected an integer of at l"),
    (grid(data_seeds=(0, -1)), ValueError, "data_seeds is -1; expected an integer of at least 0"),
    (grid(data_seeds=(0, 0.5)), TypeError, "data_seeds is 0.5; expected an integer"),
    (grid(hidden=(6, 6)), TypeError, "hidden is 6; expected several"),
    (grid(hidden=((6, 0),)), ValueError, r"hidden\[1\] is 0; expected an integer"),
    (grid(schemes=("zeros",)), ValueError, "scheme is 'zeros'; expected one of"),
    (grid(recipes=("post",)), TypeError, "recipe is 'post'; expected a Recipe"),
    (grid(seeds=0), ValueError, "seeds is 0; expected an integer of at least 1 and at most 10000"),
    (grid(seeds=10_001), ValueError, "seeds is 10001; expected an integer of at least 1 and at m"),
    (grid(cuts=Cut()), TypeError, r"cuts is Cut\(.*expected several"),
    (grid(cuts=("std",)), TypeError, "cuts holds 'std'; expected Cut"),
    (grid(floors=("ulp",)), ValueError, "floors is 'ulp'; expected one of 'other_order'"),
    (grid(extras=("time",)), ValueError, "extras is 'time'; expected one of 'weights'"),
    (grid(recipes=(replace(FEW, batch_size=61),)), ValueError,
     r"n_train=60.*hidden \(6, 6\), Recipe.*batch_size is 61; expected at most the 60"),
    (grid(hidden=((6, 6), (5,)), cuts=(Cut(layers=(1,)),)), ValueError,
     "layers is 1; expected one of 0$"),
    (grid(recipes=(replace(FEW, optimiser="momentum"),), cuts=(Cut(prune_times=(0.5,)),)),
     ValueError, r"'momentum'.*prune_times=\(0.5,\).*training cannot go on where it stopped"),
    (grid(recipes=(replace(FEW, optimiser="sgd"),),
          cuts=(Cut(prune_times=(0.5,), optimiser_state="kept"),)),
     ValueError, "'sgd'.*'kept'.*training cannot go on where it stopped; expected 'adam'"),
)
def test_an_impossible_grid_is_refused_before_any_work(call, error, message, no_work):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


# Names of files

TASK = Task(Setting(seeds=(0, 1)), (Cut(),), ())
OTHERWISE = {
    Task: {"setting": Setting(), "cuts": (Cut(), Cut("random")), "extras": ("barrier",)},
    Setting: {"problem": "xor", "data_seed": 1, "hidden": (50, 51), "scheme": "he_uniform",
              "recipe": Recipe(steps=9), "seeds": (0, 2), "floors": ()},
    Cut: {"criterion": "random", "fraction": 0.25, "compensation": "none", "layers": (0,),
          "mask_source": "initial", "prune_times": (0.5,), "optimiser_state": "kept",
          "budget": "flops", "fine_tune_steps": 499, "arms": ("B",)},
    Recipe: {"optimiser": "sgd", "learning_rate": 0.2, "betas": (0.9, 0.99), "epsilon": 1e-8,
             "momentum": 0.8, "batch_size": None, "steps": 1499}}


def with_change(kind, change):
    recipe = replace(TASK.setting.recipe, **(change if kind is Recipe else {}))
    setting = replace(TASK.setting, recipe=recipe)
    setting = replace(setting, **(change if kind is Setting else {}))
    cut = replace(TASK.cuts[0], **(change if kind is Cut else {}))
    whole = {"setting": setting, "cuts": (cut,)}
    return replace(TASK, **(whole | (change if kind is Task else {})))


@pytest.mark.parametrize("kind", OTHERWISE, ids=lambda kind: kind.__name__)
def test_a_files_name_changes_with_every_field(kind):
    assert set(OTHERWISE[kind]) == {field.name for field in fields(kind)}
    changed = [with_change(kind, {name: value}) for name, value in OTHERWISE[kind].items()]
    assert with_change(kind, {}).name == TASK.name
    assert len({task.name for task in [TASK, *changed]}) == 1 + len(changed)


def test_a_files_name_changes_with_the_version_of_results(monkeypatch):
    monkeypatch.setattr(tasks, "RESULT_VERSION", tasks.RESULT_VERSION + 1)
    assert replace(TASK).name != TASK.name


def test_a_file_says_what_it_holds(tmp_path):
    run(GRID, tmp_path)
    task = GRID.tasks()[0]
    held = json.loads(pq.read_schema(tmp_path / task.name).metadata[b"task"])
    assert held["setting"]["problem"] == MOONS and held["setting"]["seeds"] == [0, 1]
    assert [cut["criterion"] for cut in held["cuts"]] == ["std", "random"]


def test_timing_adds_up_what_the_tasks_took(tmp_path):
    before = time.time()
    run(GRID, tmp_path)
    took = [float(pq.read_schema(path).metadata[b"seconds"]) for path in tmp_path.iterdir()]
    total, span = timing([GRID, GRID], tmp_path)
    assert total == pytest.approx(sum(took)) and max(took) < span < time.time() - before + 1


# The command line

ARGUMENTS = ["--problem", MOONS, "--draws", "2", "--seeds", "2", "--hidden", "6-6",
             "--learning-rate", "0.01", "--batch-size", "8", "--fine-tune-steps", "3"]
SHORT = [*ARGUMENTS, "--steps", "20"]


def test_the_command_line_runs_a_grid(capsys, tmp_path):
    grid = replace(GRID, data_seeds=(0, 1),
                   cuts=cuts(("std", "random"), fine_tune_steps=3, arms=ARMS))
    main([str(tmp_path / "a"), *SHORT, "--table", str(tmp_path / "all.parquet")])
    printed = capsys.readouterr().out.splitlines()
    found = pd.read_parquet(tmp_path / "all.parquet")
    assert found.equals(read(grid, tmp_path / "a"))
    assert printed[0] == "8 rows of 2 networks on each of 2 draws; medians:"
    accuracies = found.groupby("criterion", sort=False).B_held_out_accuracy.median()
    for line, (criterion, accuracy) in zip(printed[-2:], accuracies.items(), strict=True):
        assert line.startswith(criterion) and line.endswith(f"{accuracy:.6f}"[:5])


def test_every_option_reaches_the_grid():
    parse = command._parser().parse_args
    assert command.grid_of(parse(["folder"])) == Grid(
        data_seeds=tuple(range(8)), cuts=cuts(("std", "random"), arms=ARMS))
    given = parse(["folder", "--problem", "xor", MOONS, "--draws", "1", "--seeds", "3", "--hidden",
                   "6-6", "4", "--scheme", "he_uniform", "--optimiser", "sgd", "--learning-rate",
                   "0.5", "0.1", "--batch-size", "8", "full", "--steps", "9", "--criterion",
                   "taylor", "--fraction", "0.2", "--compensation", "none", "linear",
                   "--mask-source", "initial", "--prune-time", "0", "0.2+0.4",
                   "--fine-tune-steps", "4", "--arms", "B", "--floors", "--extras", "barrier"])
    recipes = tuple(Recipe("sgd", rate, batch_size=size, steps=9)
                    for rate in (0.5, 0.1) for size in (8, None))
    assert command.grid_of(given) == Grid(
        ("xor", MOONS), (0,), ((6, 6), (4,)), ("he_uniform",), recipes, 3,
        cuts(("taylor",), (0.2,), ("none", "linear"), ("initial",), ((0.0,), (0.2, 0.4)),
             fine_tune_steps=4, arms=("B",)), (), ("barrier",))
    late = parse(["folder", "--prune-time", "0.5", "--optimiser-state", "kept", "--arms", "B"])
    assert {cut.optimiser_state for cut in command.grid_of(late).cuts} == {"kept"}
    assert command.grid_of(parse(["folder", "--budget", "flops"])).cuts[0].budget == "flops"


def test_columns_are_printed_with_their_meaning(capsys):
    main(["--columns"])
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: {meaning}" for name, meaning in COLUMNS.items()]


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--scheduler", "--prune-time", "--table", "--extras"))


@pytest.mark.parametrize("arguments, message", [
    (["--problem", "rings"], "problem is 'rings'; expected one of"),
    (["--draws", "0"], "data_seeds is empty"), (["--seeds", "0"], "seeds is 0; expected"),
    (["--hidden", "50x50"], "hidden is '50x50'; expected widths such as 50-50"),
    (["--hidden", "6-0"], r"hidden\[1\] is 0; expected"),
    (["--batch-size", "some"], "batch_size is 'some'; expected a number or full"),
    (["--batch-size", "61"], "batch_size is 61; expected at most the 60"),
    (["--prune-time", "late"], "prune_time is 'late'; expected a number, or several"),
    (["--prune-time", "0.4+0.2", "--arms"], r"prune_times is \(0.4, 0.2\); expected increasing"),
    (["--fraction", "1"], "fraction is 1.0; expected"),
    (["--steps", "-1"], "steps is -1; expected"),
    (["--learning-rate", "-1"], "learning_rate is -1.0; expected"),
    (["--criterion", "std", "std"], "cuts holds .* more than once"),
    (["--workers", "0"], "workers is 0; expected an integer of at least 1"),
])
def test_the_command_line_refuses_in_one_line(arguments, message, no_work, tmp_path):
    with pytest.raises(SystemExit, match=f"python -m helpers.sweep: .*{message}") as caught:
        main([str(tmp_path), *SHORT, *arguments])
    assert "\n" not in caught.value.code, "a text as code: printed, and the exit status is 1"


@pytest.mark.parametrize("arguments, message", [
    (["--columns=3"], "ignored explicit argument"), (["--seeds", "few"], "argument --seeds: inv"),
    (["--criterion", "snip"], "argument --criterion: invalid choice: 'snip'"),
    (["--arms", "C"], "argument --arms: invalid choice: 'C'"), (["--rings"], "unrecognized"),
    ([], "folder is missing; expected where to keep the finished tasks"),
])
def test_the_command_line_names_unknown_words(arguments, message, no_work, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


# parsed by ourselves: refused in rows above
TEXTS = {"folder", "table", "scheduler", "problem", "hidden", "batch_size", "prune_time"}
OPTIONS = [action.option_strings[0] for action in command._parser()._actions
           if action.nargs != 0 and action.dest not in TEXTS]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_numbers_or_known_words_refuses_others(option, no_work, capsys):
    with pytest.raises(SystemExit) as caught:
        main([option, "nonsense"])
    said = capsys.readouterr().err.splitlines()[-1]
    assert caught.value.code == 2 and f"argument {option}: invalid" in said and "'nonsense'" in said


@pytest.mark.parametrize("table, message", [
    ("a_file/all.parquet", r"folder cannot be written \(.*exists\): .*a_file'"),
    ("a_folder", r"cannot write the file \(it is not a regular file\): .*a_folder'"),
    ("", r"cannot write the file \(it is not a regular file\): '.'")])
def test_a_table_that_cannot_be_written_is_refused_before_any_work(table, message, no_work,
                                                                  tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    (tmp_path / "a_folder").mkdir()
    with pytest.raises(SystemExit, match=f"^python -m helpers.sweep: .*{message}$") as caught:
        main(["kept", *SHORT, "--table", table])
    assert "\n" not in caught.value.code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "a_folder"]
    count("bad calls", 1)


def test_a_table_that_fails_in_the_end_leaves_the_finished_tasks(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "all.parquet")

    monkeypatch.setattr(command, "write_table", full)
    with pytest.raises(SystemExit, match="python -m helpers.sweep: .*No space left") as caught:
        main([str(tmp_path / "kept"), *SHORT, "--table", str(tmp_path / "all.parquet")])
    assert "\n" not in caught.value.code and len(files(tmp_path / "kept")) == 2


# Several processes, some of which are killed

LONGER = replace(GRID, data_seeds=tuple(range(16)), recipes=(replace(FEW, steps=200),))


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    return run(LONGER, tmp_path_factory.mktemp("longer"))


@pytest.fixture(scope="module")
def client():
    with cluster(2) as client:
        yield client


@pytest.mark.slow
def test_workers_give_the_table_of_one_process(client, longer, table, tmp_path):
    assert len(set(client.run(os.getpid).values()) - {os.getpid()}) == 2
    assert run(LONGER, tmp_path, client).equals(longer)
    assert run(GRID, tmp_path, client).equals(table)
    assert files(tmp_path) == names(GRID) | names(LONGER)


@pytest.mark.slow
def test_a_task_that_fails_on_a_worker_is_named(client, tmp_path):
    with pytest.raises(RuntimeError, match=FAILURE):
        run(FAILING, tmp_path, client)
    assert len(run(REST, tmp_path, client)) == 4


@pytest.mark.slow
def test_after_a_task_that_fails_the_same_client_goes_on_at_once(client, monkeypatch, tmp_path):
    """So often, with nothing to compute, that what is left of one call would meet the next."""
    contents = {task.name: compute(task) for task in REST.tasks()}
    monkeypatch.setattr(sweep, "compute", lambda task: contents[task.name])
    for number in range(40):
        with pytest.raises(KeyError):
            run(FAILING, tmp_path / str(number), client)
        assert len(run(REST, tmp_path / str(number), client)) == 4


@pytest.mark.slow
def test_a_sweep_that_fails_ends_no_other_of_the_same_client(client, tmp_path):
    """In the same folder, of the same tasks but one, in another thread."""
    with ThreadPoolExecutor() as pool:
        for number in range(5):
            failing, other = (pool.submit(run, grid, tmp_path / str(number), client)
                              for grid in (FAILING, REST))
            with pytest.raises(RuntimeError, match=FAILURE):
                failing.result()
            assert len(other.result()) == 4
            assert files(tmp_path / str(number)) == names(REST)


@pytest.mark.slow
def test_after_a_full_disk_the_same_client_goes_on_at_once(client, longer, monkeypatch, tmp_path):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        after_writing(patch, 2, full)
        with pytest.raises(OSError, match="No space left"):
            run(LONGER, tmp_path, client)
    assert len(files(tmp_path)) == 2
    assert run(LONGER, tmp_path, client).equals(longer)


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("failing, error", [(True, ZeroDivisionError), (False, KeyboardInterrupt)])
def test_workers_begin_nothing_more_once_a_sweep_has_ended(failing, error, client, longer,
                                                           monkeypatch, tmp_path):
    """All but one task wait until the workers know that the sweep has ended, by what ends it."""
    first, begun, go = LONGER.tasks()[0].name, tmp_path / "begun", tmp_path / "go"

    def watched(task):
        (begun / task.name).touch()
        while task.name != first and not go.exists():
            time.sleep(0.01)
        return bytes(1 // (not failing))

    def ended():
        on_scheduler = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        ready = client.run(lambda dask_worker: len(dask_worker.state.ready))
        return not on_scheduler + sum(ready.values())

    def idle():
        return not any(client.run(lambda dask_worker: len(dask_worker.state.tasks)).values())

    begun.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "compute", watched)
        after_writing(patch, 1, interrupt)
        with pytest.raises(error) as caught:  # a traceback that is kept keeps no task alive
            run(LONGER, tmp_path / "sweep", client)
    try:
        eventually(ended, 20)
    finally:
        go.touch()
    eventually(idle)
    assert caught.value and first in files(begun) and len(files(begun)) <= 3
    assert files(tmp_path / "sweep") == (set() if failing else {first})
    assert run(LONGER, tmp_path / "whole", client).equals(longer)


@pytest.mark.slow
def test_a_killed_worker_loses_no_task(client, longer, monkeypatch, tmp_path, count):
    processes, killed = client.run(os.getpid), []

    def kill():
        address = next(address for address, tasks in client.processing().items() if tasks)
        os.kill(processes[address], signal.SIGKILL)
        killed.append(processes[address])

    after_writing(monkeypatch, 1, kill)
    assert run(LONGER, tmp_path, client).equals(longer)
    assert killed and killed[0] not in client.run(os.getpid).values()
    count("kills", 1)


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_named(client, monkeypatch, tmp_path):
    client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    monkeypatch.setattr(sweep, "compute", lambda task: os._exit(1))
    with pytest.raises(RuntimeError, match="data seed 0, .*workers died while running it"):
        run(replace(GRID, data_seeds=(0,)), tmp_path, client)
    assert not files(tmp_path)


def eventually(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


@contextmanager
def started(*arguments):
    """A Python process, killed at the end."""
    process = subprocess.Popen([sys.executable, *map(str, arguments)], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_told_and_loses_nothing(longer, monkeypatch, tmp_path, count):
    address, folder = tmp_path / "scheduler.json", tmp_path / "sweep"
    dask = "-m", "distributed.cli.dask_scheduler", "--scheduler-file", address, "--no-dashboard"
    worker = ("-m", "distributed.cli.dask_worker", "--scheduler-file", address, "--no-dashboard",
              "--no-nanny", "--nthreads", 1)
    with started(*dask, "--host", "127.0.0.1", "--port", 0) as scheduler, started(*worker):
        eventually(address.exists)
        written = after_writing(monkeypatch, 2, scheduler.kill)
        with cluster(scheduler=json.loads(address.read_text())["address"]) as client:
            with pytest.raises(RuntimeError, match="lost the Dask.* the same call") as caught:
                run(LONGER, folder, client)
        assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
        assert files(folder) == {path.name for path in written} and len(written) == 2
    assert run(LONGER, folder).equals(longer)
    assert len(written) == len(LONGER.tasks())
    count("kills", 1)


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_named(tmp_path):
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        with pytest.raises(SystemExit, match="python -m helpers.sweep: .*127.0.0.1:1 ") as caught:
            main([str(tmp_path), *SHORT, "--scheduler", "tcp://127.0.0.1:1"])
    assert "\n" not in caught.value.code


@pytest.mark.slow
def test_a_killed_sweep_continues(computed, tmp_path, count):
    folder, arguments = tmp_path / "killed", [*ARGUMENTS, "--draws", "16", "--steps", "200"]
    with started("-m", "helpers.sweep", folder, *arguments) as process:
        eventually(lambda: list(folder.glob("*.parquet")))
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = set(folder.glob("*.parquet"))
    times = {path: path.stat().st_mtime_ns for path in finished}
    assert 0 < len(finished) < 16
    table = tmp_path / "all.parquet"
    main([str(folder), *arguments, "--table", str(table)])
    assert len(computed) == 16 - len(finished)
    assert times == {path: path.stat().st_mtime_ns for path in finished}
    grid = replace(LONGER, cuts=cuts(("std", "random"), fine_tune_steps=3, arms=ARMS))
    assert pd.read_parquet(table).equals(run(grid, tmp_path / "whole"))
    count("kills", 1)

"""What befalls writers in the tests of faults: children that kill themselves, disks that fill up.

Children are forked from a server that has imported everything slow, so that one costs a moment.
"""

import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from examples import tiny
from helpers import files, sweep
from helpers.sweep import read, run

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["helpers.sweep", "torch._dynamo"])  # the latter on first training
CALLS = ("mkdir", "open", "close", "write", "flush", "fsync", "replace", "unlink")
FORBIDDEN = 77  # exit code of a child that may not do what it wants to
NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000  # Linux: CLONE_NEWUSER, CLONE_NEWNS

OLD, NEW = pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": np.arange(1000.0)})
WRITERS = {  # everything that writes one file, called as it is: (is it new?, path)
    "bytes": lambda new, path: files.write(path, b"new" * 999 if new else b"old"),
    "a table": lambda new, path: files.write_table(path, NEW if new else OLD),
    "networks": lambda new, path: tiny(3 if new else 2).save(path)}


def forked(function, *arguments) -> int:
    """Run a function in a process of its own; return its exit code, negative for a signal."""
    process = FORKED.Process(target=function, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode is not None, "it takes too long"
    return process.exitcode


def names_in(folder) -> set[str]:
    """Names of all files, hidden ones too."""
    return {path.name for path in folder.iterdir()}


def compute_from(contents):
    """Let sweeps in this process find what tasks give, by name, instead of computing it."""
    sweep.compute = lambda task: contents[task.name]


# Killed


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number, act):
    """Act at a moment of writing: before and after each of CALLS that `files` makes, from 0 on.

    Returns the list of all moments met, which grows.
    """
    met = []

    def watch(frame, event, called):
        if event in ("c_call", "c_return") and called.__name__ in CALLS:
            callers = frame.f_code.co_filename, frame.f_back.f_code.co_filename  # pathlib's, too
            if files.__file__ in callers:
                met.append((called.__name__, event))
                if len(met) == number + 1:
                    act()

    sys.setprofile(watch)
    return met


def killed_at_call(number, grid, folder, contents):
    compute_from(contents)
    at_call(number, die)
    run(grid, folder)


class Dying:
    """A file that dies in the middle of a write, its first bytes on the disk."""

    def __init__(self, file, share):
        self.file, self.share = file, share

    def __enter__(self):
        return self

    def write(self, content):
        self.file.write(content[:int(self.share * len(content))])
        self.file.flush()
        die()

    def __exit__(self, *_):
        self.file.close()


def killed_in_write(number, share, grid, folder, contents):
    written = []

    def opened(*arguments):
        written.append(arguments)
        file = open(*arguments)
        return Dying(file, share) if len(written) == number else file

    compute_from(contents)
    files.open = opened
    run(grid, folder)


def killed_in_writer(name, share, path):
    files.open = lambda *arguments: Dying(open(*arguments), share)
    WRITERS[name](True, path)


def sweep_elsewhere(grid):
    """Let a process do what it does once, such as late imports: they are not to be counted."""
    with tempfile.TemporaryDirectory() as folder:
        run(grid, Path(folder))


def counted(grid, folder, path):
    """Sweep, and write down how many functions of Python and C were called or left."""
    sweep_elsewhere(grid)
    number = 0

    def watch(*_):
        nonlocal number
        number += 1

    sys.setprofile(watch)
    run(grid, folder)
    sys.setprofile(None)
    path.write_text(str(number))


def killed_after(number, grid, folder):
    """Sweep until so many functions were called or left, wherever that is."""
    sweep_elsewhere(grid)
    remaining = iter(range(number))

    def watch(*_):
        if next(remaining, None) is None:
            die()

    sys.setprofile(watch)
    run(grid, folder)


# Disks


def refused(grid, folder, reason, after):
    """Assert that a sweep ends with an error of the disk and leaves so many whole tasks alone."""
    try:
        run(grid, folder)
    except OSError as error:
        assert reason in str(error) and str(folder) in str(error) and "\n" not in str(error), error
    else:
        raise AssertionError("the sweep ran to its end")
    assert len(names_in(folder)) == after and names_in(folder) <= {t.name for t in grid.tasks()}


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def in_own_mounts(folder, options, action, *arguments):
    """Act on a small memory disk that no other process sees."""
    user, group = os.getuid(), os.getgid()
    try:
        if ctypes.CDLL(None).unshare(NEW_USER | NEW_MOUNTS):
            os._exit(FORBIDDEN)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        mount("-t", "tmpfs", "-o", options, "none", folder)
    except (OSError, subprocess.CalledProcessError):
        os._exit(FORBIDDEN)
    action(folder, *arguments)


def filled(folder, grid, contents, table):
    """A disk for two tasks of three; it grows, and the sweep goes on."""
    compute_from(contents)
    refused(grid, folder, "cannot write the file (No space left", after=2)
    mount("-o", "remount,size=8m", folder)
    assert run(grid, folder).equals(table)


def made_read_only(folder, grid, contents, table):
    """A disk that may not be written at first, or not after two tasks."""
    def read_only_after_two(task):
        if len(names_in(folder)) == 2:
            mount("-o", "remount,ro", folder)
        return contents[task.name]

    mount("-o", "remount,ro", folder)
    sweep.compute = None
    refused(grid, folder, "folder cannot be written (Read-only file system", after=0)
    mount("-o", "remount,rw", folder)
    sweep.compute = read_only_after_two
    refused(grid, folder, "cannot write the file (Read-only file system", after=2)
    mount("-o", "remount,rw", folder)
    compute_from(contents)
    assert run(grid, folder).equals(table)
    mount("-o", "remount,ro", folder)
    assert read(grid, folder).equals(table)


def limited(grid, folder, contents, table):
    """The system ends every write half way through a file."""
    compute_from(contents)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    half = min(map(len, contents.values())) // 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (half, limit[1]))
    refused(grid, folder, "cannot write the file (File too large", after=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert run(grid, folder).equals(table)


def without_permission(folder, grid):
    os.chdir(folder.parent)
    if os.geteuid() == 0:  # root may write everywhere
        try:
            os.seteuid(65534)
        except OSError:
            os._exit(FORBIDDEN)
    sweep.compute = None
    refused(grid, Path(folder.name), "folder cannot be written (Permission denied", after=0)


# Several sweeps


def one_of_several(barrier, begun, grid, folder, contents, path):
    """Sweep, but finish no task before another sweep is about to be killed."""
    def known(task):
        assert begun.wait(60), "it takes too long"
        return contents[task.name]

    sweep.compute = known
    barrier.wait(60)
    run(grid, folder).to_parquet(path)


def killed_among_several(barrier, begun, number, grid, folder, contents):
    def tell_and_die():
        begun.set()
        die()

    compute_from(contents)
    barrier.wait(60)
    at_call(number, tell_and_die)
    run(grid, folder)

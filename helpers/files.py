"""Files written whole or not at all, whatever stops the writer."""

import errno
import io
import os
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd


def write(path, content: bytes) -> None:
    """Write a file: until all of the content is on the disk, its name holds what it held before.

    A writer that is killed leaves at most a hidden file beside it, which nothing reads. Raises
    OSError naming the path if it cannot be written or is something else than a file.
    """
    path = Path(path)
    target = path.resolve()  # a link stays one
    partial = target.with_name(f".{target.stem}.{uuid.uuid4().hex}")
    with _naming(path, "cannot write the file"):
        _replaceable(target)
        try:
            with open(partial, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # else a machine that stops may keep the name alone
            os.replace(partial, target)
        finally:
            with suppress(OSError):  # it was moved, never made, or the disk forbids even this
                partial.unlink()


def write_table(path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, compressed and without its index; errors as `write`."""
    content = io.BytesIO()
    table.to_parquet(content, index=False, compression="zstd")
    write(path, content.getvalue())


def read_table(path) -> pd.DataFrame:
    """Return a table that `write_table` wrote: from its file alone, wherever that lies."""
    return pd.read_parquet(path, partitioning=None)  # else a folder named a=b may be a column


def writable_file(path) -> Path:
    """Return a file's path after making its folder and trying to write there, before any work.

    Raises OSError naming the folder if it cannot be written, the path if it is no regular file.
    """
    path = Path(path)
    target = path.resolve()
    writable(target.parent)
    with _naming(path, "cannot write the file"):
        _replaceable(target)
    return path


def writable(folder) -> Path:
    """Return a folder as a path after trying to write there, before any work.

    Raises OSError naming it if it cannot be written.
    """
    folder = Path(folder)
    with _naming(folder, "folder cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
    return folder


def _replaceable(target: Path) -> None:
    if target.exists() and not target.is_file():
        raise FileExistsError(errno.EEXIST, "it is not a regular file")


@contextmanager
def _naming(path: Path, failed: str):
    """Raise what fails again, as one line that names a path."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{failed} ({error.strerror})", str(path)) from error

"""Execute notebooks two at a time, and store nothing that changes by itself between runs."""

import base64
import io
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbstripout import strip_output
from PIL import Image
from traitlets.config import Config

from helpers import files

TIMEOUT = 600  # seconds a cell may take
WIDGET = "application/vnd.jupyter.widget-view+json"  # of no use without its kernel
COLOURS = 256  # of a stored picture: a figure has few, and takes a third of the bytes
VOLATILE = ["metadata.widgets", "metadata.language_info.version", "cell.metadata.execution"]


class NotebookFailed(Exception):
    """A notebook stopped; the last line of the message names notebook, cell and error."""


def set_environment(folder):
    """Give all kernels the same surroundings: no progress bars, no user profile, figures kept.

    The kernel is that of this Python, also where its user has installed another by the same name.
    """
    os.environ.pop("MPLBACKEND", None)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.update(NB_PROGRESS="0", JUPYTER_PREFER_ENV_PATH="1",
                      IPYTHONDIR=str(folder / "ipython"), MPLCONFIGDIR=str(folder / "matplotlib"))


def failure(name, number, error):
    """Say what stopped a notebook, in full and then in one closing line."""
    if isinstance(error, CellExecutionError):
        reason = f"{error.ename}: {error.evalue}".splitlines()[0].rstrip(": ")
    else:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return NotebookFailed(f"{error}\nFAILED: notebooks/{name}, cell {number}: {reason}")


def client_for(notebook, folder, sockets):
    """Prepare a kernel that runs in `folder`; files as sockets, so that no ports are raced for."""
    return NotebookClient(
        notebook,
        kernel_name="python3",
        config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"}),
        timeout=TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(folder)}},
    )


def execute(path):
    """Run one notebook from top to bottom in its own kernel; the file itself stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    started = []
    with tempfile.TemporaryDirectory() as sockets:
        client = client_for(notebook, path.parent, sockets)
        client.on_cell_execute = lambda cell, cell_index: started.append(cell_index)
        try:
            client.execute()
        except Exception as error:  # also a dead kernel or a timeout: all must name the cell
            raise failure(path.name, len(started), error) from error
    return clean(notebook)


def clean(notebook):
    """Drop what differs between two runs or two machines; of a widget keep its picture alone."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data.pop(WIDGET, None)
                output.data["image/png"] = with_few_colours(output.data["image/png"])
    return strip_output(
        notebook, keep_output=True, keep_count=True, keep_id=True, extra_keys=VOLATILE
    )


def with_few_colours(encoded):
    """Return a PNG, in base64 as notebooks store it, with a palette; one that has it as it is."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    if picture.mode == "P":
        return encoded
    content = io.BytesIO()
    picture.convert("RGB").quantize(COLOURS).save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def execute_all(paths, target):
    """Run the notebooks two at a time and write each into the folder `target`."""
    target.mkdir(parents=True, exist_ok=True)

    def run(path):
        files.write(target / path.name, (nbformat.writes(execute(path)) + "\n").encode())

    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            list(pool.map(run, paths))
        except NotebookFailed:
            pool.shutdown(cancel_futures=True)
            raise

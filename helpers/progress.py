"""A progress bar that stays out of stored outputs."""

import os
import sys

from tqdm import tqdm


def progress(total: int, description: str) -> tqdm:
    """Return a bar over `total` steps that appears after 2 seconds.

    Set NB_PROGRESS=0 to silence it, as the report and the tests do; without a terminal or a
    notebook it is silent anyway.
    """
    wanted = os.environ.get("NB_PROGRESS", "1") != "0"
    return tqdm(total=total, desc=description, delay=2, leave=False,
                disable=not (wanted and ("ipykernel" in sys.modules or sys.stderr.isatty())))

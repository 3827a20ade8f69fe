"""One thread, no windows, no progress bars, the same random examples in every run."""

import os

os.environ["NB_PROGRESS"] = "0"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("MPLBACKEND", None)  # it would silently remove the figures from notebooks

import hypothesis  # noqa: E402
import matplotlib  # noqa: E402
import torch  # noqa: E402

matplotlib.use("agg")
torch.set_num_threads(1)
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")

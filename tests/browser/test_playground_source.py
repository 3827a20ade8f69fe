"""The playground's JavaScript has the types that its comments state, and is formatted."""

import pytest

from commands import PLAYGROUND, run


@pytest.mark.parametrize("script", ["types", "format"])
def test_the_source_is_sound(script):
    installed = PLAYGROUND / "node_modules"
    assert installed.is_dir(), "no typescript and prettier: make .venv/.playground"
    status, said = run("npm", "run", "--silent", script)
    assert status == 0, said

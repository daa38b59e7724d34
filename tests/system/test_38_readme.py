"""What README.md shows of connections and programs: typed as it stands there, but for ports and places."""

import re
import shutil
import subprocess
import time

import pytest

from brood import ROOT, SYSTEM_PYTHON_HOME, free_port, wait_until


def session(text):
    """[command, lines below it] of an indented block; a file's text is below its `cat >`."""
    steps = []
    for line in text.splitlines():
        assert line.startswith("    ") or not line.strip(), line
        if line.startswith("    $ "):
            steps.append([line[6:], []])
        elif line.strip():
            steps[-1][1].append(line[4:])
    return steps


def test_what_the_second_screen_shows(brood):
    for tool in ("curl", "socat"):
        if shutil.which(tool) is None:
            pytest.skip(f"Debian's package of {tool} is not installed")
    text = (ROOT / "README.md").read_text()
    block = re.search(r"^## Connections and programs of any kind\n\n((?:    .*\n|\n(?=    ))+)", text, re.M).group(1)
    place = {"8301": str(free_port()), "8302": str(free_port()), "run/control.sock": str(brood.control_path),
             "/srv/parrot": str(brood.dir), '"type": "python"': f'"type": "python", "home": "{SYSTEM_PYTHON_HOME}"'}
    shown = []
    for command, lines in session(block):
        below = "\n".join(lines) + "\n"
        for old, new in place.items():
            command, below = command.replace(old, new), below.replace(old, new)
        if command.startswith("cat > "):
            (brood.dir / command[6:]).write_text(below)
            continue
        done = subprocess.run(command, shell=True, cwd=brood.dir, stdout=subprocess.PIPE, text=True, timeout=30)
        assert done.returncode == 0 and "error" not in done.stdout, (command, done.stdout)
        if lines:
            assert done.stdout == below, command
            shown.append(command)
    assert len(shown) == 2
    assert len(brood.workers("parrot")) == 2 and brood.status("/applications/parrot/connections/accepted") == 1
    wait_until(lambda: [p["state"] for p in brood.status("/applications/ticker/programs")] == ["running"] * 2)
    assert brood.status("/applications/nightly/runs/next") > time.time()
    assert len(text[:text.index("## Connections and")].splitlines()) < 60, "no longer on the second screen"

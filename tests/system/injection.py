"""The points at which a test can end a process of the daemon: the rows of src/base/inject.def."""

import os
import re

import pytest

from brood import BINARY, ROOT

ROW = re.compile(r'^(POINT|LIFE)\((\w+),\s*(\w+),\s*(PLAIN|INDEXED),\s*"', re.M)
ROWS = ROW.findall((ROOT / "src/base/inject.def").read_text())
POINTS = [(role, name, kind == "INDEXED") for table, role, name, kind in ROWS if table == "POINT"]  # on a change's way
LIVES = [f"{role}.{name}" for table, role, name, kind in ROWS if table == "LIFE"]  # in a process's life

needs_points = pytest.mark.skipif(b"BROOD_INJECT" not in BINARY.read_bytes(),
                                  reason="built without points: meson configure BUILD -Dinjection=true")


def points(role, routers):
    """Names of files to arm, in the order of the table: 'router.switched.0', 'main.kept', …"""
    return [f"{r}.{name}{index}" for r, name, indexed in POINTS if r == role
            for index in ([f".{i}" for i in range(routers)] if indexed else [""])]


def injection(directory):
    """Environment for a daemon whose points can be armed there, by processes of any user."""
    directory.mkdir()
    os.chmod(directory, 0o777)
    return {"BROOD_INJECT": str(directory)}

#!/usr/bin/env python3
"""Check every #include "..." under src/ against src/FLOORS.

A line of FLOORS names a room and what it may include: other rooms, or single headers of other
rooms without their suffix (conf/conf_store).  A room may always include its own files.
Prints each violation as FILE:LINE: text, and exits with 1 when there is one.

usage: check_floors.py [SRC]
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'\s*#\s*include\s*"([^"]+)"')
SUFFIXES = {".c", ".h", ".def"}


def read_floors(path):
    """{room: set of rooms and headers that it may include}"""
    floors = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        room, colon, allowed = line.partition(":")
        if not colon or not room.strip():
            sys.exit(f"{path}:{number}: not of the form ROOM : ROOM...")
        floors[room.strip()] = set(allowed.split())
    return floors


def complaint(room, included, floors):
    """What is wrong with this include, or None."""
    target = included.split("/", 1)[0]
    if "/" not in included or target not in floors:
        return f'"{included}" is not in a room that FLOORS names'
    if target == room or target in floors[room]:
        return None
    if included.rsplit(".", 1)[0] in floors[room]:
        return None
    return f'{room} may not include "{included}"'


def violations(src):
    floors = read_floors(src / "FLOORS")
    for path in sorted(p for p in src.rglob("*") if p.suffix in SUFFIXES):
        room = path.relative_to(src).parts[0]
        if room not in floors:
            yield f"{path}:1: room {room} is not in FLOORS"
            continue
        text = path.read_text(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            found = INCLUDE.match(line)
            wrong = complaint(room, found[1], floors) if found else None
            if wrong:
                yield f"{path}:{number}: {wrong}"


def main():
    src = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "src"
    found = list(violations(src))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""broodctl where operators meet it: on a terminal, with an editor, colours, questions and a refreshed screen.

With BROOD_TRANSCRIPT=FILE the story is also written between the marks of that file (docs/operations.md).
"""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from ctl import CTL
from terminal import Terminal

pytestmark = pytest.mark.skipif(not shutil.which("tmux") or not shutil.which("vi"), reason="needs tmux and vim-tiny")
BEGIN, END = "<!-- transcript: begin -->\n", "<!-- transcript: end -->\n"


@pytest.fixture
def terminal(brood):
    """A shell beside a brood that serves; `broodctl` there means that brood."""
    brood.serve("hello", processes=2)
    script = brood.dir / "broodctl"
    script.write_text(f'#!/bin/sh\nexec {CTL} --control unix:{brood.control_path} "$@"\n')
    script.chmod(0o755)
    with Terminal(brood.dir, {"PATH": f"{brood.dir}:{brood.env['PATH']}", "TMPDIR": str(brood.dir),
                              "VISUAL": "vi -u NONE -n", "LC_ALL": "C.UTF-8"}) as terminal:
        yield terminal


class Story:
    """What was on the screen, step by step, for the manual."""

    def __init__(self, directory):
        self.directory, self.steps = directory, []

    def add(self, screen):
        screen = re.sub(r"\n\$ ?\Z", "", screen).replace(str(self.directory), "/tmp")
        self.steps.append("\n".join("    " + line if line else "" for line in screen.splitlines()))

    def say(self, text):
        self.steps.append(text)

    def write(self, path):
        text = path.read_text()
        before, rest = text.split(BEGIN)
        path.write_text(before + BEGIN + "\n" + "\n\n".join(self.steps) + "\n\n" + END + rest.split(END)[1])


def substitute(terminal, old, new):
    """In vi: the listener passes to another application; save, leave."""
    terminal.line(f":%s#applications/{old}#applications/{new}#")
    terminal.wait_for(f'"pass": "applications/{new}"')
    terminal.line(":wq")


def test_an_operator_at_work(terminal, brood):
    story = Story(brood.dir)
    story.say("What runs:")
    story.add(terminal.run("broodctl status"))
    assert "hello" in story.steps[-1] and len(re.findall(r" idle ", story.steps[-1])) == 2

    story.say("In the editor `applications/hello` becomes `applications/helo` by mistake. Back in the editor that is put "
              "right, and the processes become three:")
    before = brood.get().json
    terminal.begin("broodctl edit")
    terminal.wait_for('"pass": "applications/hello"')
    substitute(terminal, "hello", "helo")
    screen = terminal.wait_for(r"Edit again\? \[Y/n\]")
    assert re.search(r"broodctl-\w+\.json:4:\d+: .*\"helo\"", screen), screen
    assert f"in /listeners/127.0.0.1:{brood.port}/pass" in screen
    assert brood.get().json == before
    terminal.tmux("send-keys", "Enter")
    terminal.wait_for('"pass": "applications/helo"')
    terminal.line(':%s/"processes": 2/"processes": 3/')
    substitute(terminal, "helo", "hello")
    story.add(terminal.wait_for(r"Reconfiguration done\.\n\$ ?$"))
    assert brood.get("/config/applications/hello/processes").json == 3
    assert not list(brood.dir.glob("broodctl-*.json")), "the editor's file is gone"

    story.say("A file, first as a plan, then applied:")
    config = {**brood.get().json, "routes": [{"action": {"return": 204}}], "access_log": "/dev/null"}
    (brood.dir / "conf.json").write_text(json.dumps(config, indent=4))
    story.add(terminal.run("broodctl apply --dry-run conf.json"))
    assert "open log" in story.steps[-1]
    story.add(terminal.run("broodctl apply conf.json", r"Reconfiguration done\.\n\$ ?$"))
    assert brood.get("/config/access_log").json == "/dev/null"

    story.say("What was that, and back:")
    story.add(terminal.run("broodctl history"))
    assert re.search(r"^ +3 .*in force$", story.steps[-1], re.M)
    screen = terminal.run("broodctl rollback", r"Apply version 2 of \S+\? \[y/N\] ?$")
    assert '-\t"access_log": "/dev/null"'.expandtabs() in screen.expandtabs()
    terminal.line("y")
    story.add(terminal.wait_for(r"Reconfiguration done\.\n\$ ?$"))
    assert "access_log" not in brood.get().json

    story.say("Watching while a request comes in; `^C` ends it:")
    terminal.begin("broodctl status --watch=0.2")
    terminal.wait_for(r"^requests: 0$")
    assert brood.fetch().status == 200
    screen = terminal.wait_for(r"^requests: 1$")
    assert screen.count("APPLICATION") == 2, "each refresh begins on a clear screen"
    story.add("$ broodctl status --watch=0.2\n" + screen)
    terminal.tmux("send-keys", "C-c")
    terminal.wait_for(r"\^C\n\$ ?$")
    if os.environ.get("BROOD_TRANSCRIPT"):
        story.write(Path(os.environ["BROOD_TRANSCRIPT"]))


def test_a_question_that_is_not_answered_yes_changes_nothing(terminal, brood):
    brood.configure({**brood.get().json, "routes": []})
    before = brood.get().body
    for answer in ("n", "", "C-d", "C-c"):
        terminal.run("broodctl rollback", r"\[y/N\] ?$")
        terminal.tmux("send-keys", *([answer] if answer.startswith("C-") else [f"{answer}", "Enter"] if answer else ["Enter"]))
        terminal.wait_for(r"\n\$ ?$")
        assert brood.get().body == before
    terminal.run("broodctl rollback --yes", r"Reconfiguration done\.\n\$ ?$")
    assert brood.get().body != before


def test_a_text_that_is_given_up_is_kept(terminal, brood):
    terminal.begin("broodctl edit")
    terminal.wait_for('"pass": "applications/hello"')
    substitute(terminal, "hello", "helo")
    terminal.wait_for(r"Edit again\? \[Y/n\]")
    terminal.line("n")
    terminal.wait_for(r"the text is kept in")
    kept, = brood.dir.glob("broodctl-*.json")
    assert "applications/helo" in kept.read_text()


def test_colours_are_for_terminals_and_not_for_those_who_refuse_them(terminal):
    terminal.run("broodctl status")
    assert re.search("\033\\[32m *idle", terminal.screen("-e"))
    terminal.run("NO_COLOR=1 broodctl status")
    assert "idle" in terminal.screen() and "\033[32m" not in terminal.screen("-e")
    terminal.run("broodctl status | cat")
    assert "idle" in terminal.screen() and "\033[32m" not in terminal.screen("-e")

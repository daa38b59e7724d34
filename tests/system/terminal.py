"""A real terminal: tmux runs a shell in it, keys go in, the screen is read."""

import os
import re
import subprocess

from brood import wait_until


class Terminal:
    """A shell whose prompt is "$ ", in a tmux server of its own."""

    def __init__(self, directory, env, columns=120, rows=40):
        self.socket = directory / "tmux.sock"
        self.env = {**os.environ, **env, "PS1": "$ ", "TERM": "xterm"}
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", str(directory),
                  "bash", "--norc", "--noprofile")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], capture_output=True)

    def tmux(self, *words):
        run = subprocess.run(["tmux", "-S", str(self.socket), *words], capture_output=True, text=True, env=self.env)
        assert run.returncode == 0, run
        return run.stdout

    def screen(self, *options):
        """What is on it, folded lines in one, without spaces and empty lines at the ends."""
        lines = self.tmux("capture-pane", "-p", "-J", *options).splitlines()
        return "\n".join(line.rstrip() for line in lines).rstrip("\n")

    def type(self, text, *keys):
        """The text as it is, then keys by name."""
        self.tmux("send-keys", "-l", "--", text)
        if keys:
            self.tmux("send-keys", *keys)

    def line(self, text):
        self.type(text, "Enter")

    def wait_for(self, pattern, *options):
        """The screen once it shows the pattern ('^' and '$' are ends of lines)."""
        return wait_until(lambda: re.search(pattern, self.screen(*options), re.M) and self.screen(*options),
                          what=lambda: f"{pattern!r} on the terminal, which shows:\n{self.screen()}\n--")

    def run(self, command, pattern=r"\n\$ ?$"):
        """A command on a cleared screen, to its end: what it printed, the command first."""
        self.begin(command)
        return self.wait_for(pattern)

    def begin(self, command):
        self.wait_for(r"^\$ ?\Z")
        self.tmux("send-keys", "C-l")
        self.wait_for(r"\A\$ ?\Z")
        self.line(command)

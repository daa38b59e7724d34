"""The languages that the accelerator's tests are run for: one row each.

A language brings one script, probe.SUFFIX, which initialises and then does what its first argument says. What
it must understand is what probe.pl understands (the shortest complete one); before its initialisation is complete it obeys
$PROBE_INIT (exit N, signal N, sleep S, run COMMAND, mark FILE, never), passes $PROBE_OPTIONS ("name=value name=value") to
the library, $PROBE_CHECK to autoreload_also_check, and loads the module that `module` below writes, if it is there.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
GUESTS = HERE.parents[1] / "src/guests/prefork_interp"


@dataclass
class Language:
    name: str
    interpreter: str           # as on the command line
    probe: str                 # file beside this one
    option: str                # an interpreter option that changes nothing
    module_name: str           # file of the module, beside the script
    module_text: str           # its text; {version} is replaced
    library: dict = field(default_factory=dict)  # environment under which the interpreter finds our library
    without: str = ""          # why it cannot be run here; empty: it can

    def module(self, directory, version):
        Path(directory, self.module_name).write_text(self.module_text.replace("{version}", version))


PERL = Language("perl", "perl", "probe.pl", "-w", "ProbeModule.pm",
                "package ProbeModule; sub version { '{version}' } 1;\n", {"PERL5LIB": str(GUESTS / "perl")},
                "" if shutil.which("perl") else "perl is not installed")

PYTHON = Language("python", os.environ.get("BROOD_TEST_PYTHON", "/usr/bin/python3"), "probe.py", "-Xfaulthandler", "probe_module.py",
                  "def version(): return '{version}'\n", {"PYTHONPATH": str(GUESTS / "python")})

LANGUAGES = [PERL, PYTHON]

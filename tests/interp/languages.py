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
# Interpreters know no sanitizer, so what they load comes from the release build where there are two.
BUILT = Path(os.environ.get("BROOD_RELEASE") or os.environ.get("BROOD_BUILD", HERE.parents[1] / "build/test"),
             "src/guests/prefork_interp")
BUILTIN = BUILT / "bash"


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
    cannot: dict = field(default_factory=dict)  # tests that are not for it, with the reason

    def module(self, directory, version):
        Path(directory, self.module_name).write_text(self.module_text.replace("{version}", version))


PERL = Language("perl", "perl", "probe.pl", "-w", "ProbeModule.pm",
                "package ProbeModule; sub version { '{version}' } 1;\n", {"PERL5LIB": str(GUESTS / "perl")},
                "" if shutil.which("perl") else "perl is not installed")

PYTHON = Language("python", os.environ.get("BROOD_TEST_PYTHON", "/usr/bin/python3"), "probe.py", "-Xfaulthandler", "probe_module.py",
                  "def version(): return '{version}'\n", {"PYTHONPATH": str(GUESTS / "python")})

RUBY = Language("ruby", "ruby", "probe.rb", "-W1", "probe_module.rb",
                "module ProbeModule\n  def self.version = '{version}'\nend\n", {"RUBYLIB": str(GUESTS / "ruby")},
                "" if shutil.which("ruby") else "ruby is not installed")

PHP = Language("php", "php", "probe.php", "-q", "probe_module.php", "<?php function probe_version() { return '{version}'; }\n",
               {"PROBE_PHP": str(GUESTS / "php")}, "" if shutil.which("php") else "php is not installed")

BASH = Language("bash", "bash", "probe.bash", "--norc", "probe_module.bash", "version() { echo {version}; }\n",
                {"PROBE_BASH": str(BUILTIN)}, "" if (BUILTIN / "prefork_interp.so").exists() else "bash-builtins is not installed")

# Each call initialises by itself, ahead of time: its token is that of the process which starts them all.
NODE = Language("node", "node", "probe.js", "--no-warnings", "probe_module.js", "exports.version = () => '{version}';\n",
                {"NODE_PATH": str(BUILT / "node")}, "" if shutil.which("node") else "nodejs is not installed", cannot={
                    "test_arguments_with_every_byte": "Node's strings are text: what is no UTF-8 cannot be an argument",
                    "test_resource_limits_are_the_callers": "Node raises its limit of descriptors to the highest at its start",
                    "test_racing_first_calls_start_one_server": "it counts initialisations, of which each call has its own",
                    "test_a_hundred_first_calls_start_one_server": "it counts initialisations, of which each call has its own",
                })

LANGUAGES = [PERL, PYTHON, RUBY, PHP, BASH, NODE]

# What each step of a call and of a server's life needs a library for: quick enough for `make test`.
# With BROOD_INTERP_ALL=1 (`make test-interp`) every language runs every test; without, Perl all but LONG.
LONG = {"test_a_hundred_callers_at_once", "test_a_hundred_first_calls_start_one_server"}
CORE = {
    "test_a_second_call_finds_the_first_ones_initialisation", "test_arguments_are_the_callers_own", "test_arguments_with_every_byte",
    "test_the_environment_is_exactly_the_callers", "test_a_variable_that_is_gone_is_gone", "test_a_call_with_a_long_environment",
    "test_the_variable_is_not_seen_by_children", "test_falling_off_the_end_is_success", "test_death_by_signal_is_reproduced",
    "test_stdin_to_stdout_any_bytes", "test_files_keep_their_offset", "test_output_left_in_buffers_is_written",
    "test_a_closed_stdout_stays_closed", "test_a_closed_stdin_stays_closed", "test_a_terminal_is_a_terminal",
    "test_the_programs_name_is_unchanged", "test_random_numbers_differ", "test_any_directory_shares_a_server_with_C",
    "test_the_umask_is_the_callers", "test_what_the_first_caller_ignored_is_not_for_others",
    "test_further_descriptors_are_the_callers", "test_a_changed_module_is_loaded_anew", "test_a_file_that_was_named_is_checked",
    "test_a_callers_death_interrupts_the_service", "test_a_service_outlives_its_interpreter",
    "test_a_killed_server_is_an_error_and_interrupts_the_service", "test_a_script_that_never_says_it_is_ready",
    "test_an_unknown_option_is_named", "test_standalone", "test_a_wrong_variable_is_named", "test_nothing_is_left_of_a_call",
}

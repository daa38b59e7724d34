import os
import signal
import sys
import tempfile
import shutil
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import ORIGINAL, ORIGINAL_LIBRARY, Pair
from languages import CORE, LANGUAGES, LONG, PERL

# Started in the background of a shell without job control, we would hand ignored signals down to every program of a test.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# All of it: each case for each language, and the original's own pair as a check of the suite itself.
EVERYTHING = bool(os.environ.get("BROOD_INTERP_ALL"))

WHOLE = ("ours", "ours", PERL)  # what runs everything but what is LONG; all others the CORE, see languages.py
PAIRS = [("ours", "ours", language) for language in LANGUAGES]
PAIRS += [("original", "ours", PERL), ("ours", "original", PERL)]
if EVERYTHING:
    PAIRS += [("original", "original", PERL)]
    PAIRS += [("original", "ours", language) for language in LANGUAGES if language != PERL]

# Cases in which a language's library has no part beyond what others have shown of it: one language is enough.
WITHOUT_LANGUAGE = {
    "test_a_hundred_megabytes", "test_resource_limits_are_the_callers",
    "test_kill_without_a_server_is_no_error", "test_another_word_is_another_server", "test_a_variable_of_the_identity",
    "test_a_named_identity_is_for_every_directory", "test_a_name_with_a_slash_is_refused", "test_at_most_max_servers_at_once",
    "test_no_place_within_the_time_given", "test_idle_servers_go", "test_a_stale_socket_is_replaced",
    "test_a_service_that_ignores_its_callers_death_is_ended", "test_a_killed_server_lets_its_services_end",
    "test_a_stopped_server_is_replaced", "test_a_broken_caller_harms_nobody", "test_silent_connections_take_no_place_for_ever",
    "test_an_interpreter_that_is_not_there", "test_an_initialisation_that_takes_too_long", "test_max_calls_makes_way",
    "test_a_server_started_by_warm_serves_the_first_call", "test_list_shows_it", "test_explain_says_why",
    "test_a_lock_is_waited_for", "test_an_initialisation_that_takes_its_time_is_waited_for",
    "test_doubled_separators_are_nothing", "test_the_directory_is_closed_to_others",
    "test_a_directory_open_to_others_is_not_used", "test_a_link_in_the_directorys_place_is_not_followed",
    "test_without_any_directory_the_script_runs_all_the_same", "test_another_users_directory_is_refused",
    "test_another_users_server_gets_nothing", "test_too_many_identities_are_cleaned",
    "test_a_full_directory_is_no_reason_to_fail", "test_the_interrupt_key", "test_a_line_is_read_from_the_terminal",
    "test_a_spare_killed_after_the_greeting", "test_a_spare_killed_while_the_request_arrives",
    "test_a_caller_that_goes_at_any_step_leaves_nothing", "test_a_server_killed_at_any_step",
    "test_an_interpreter_killed_at_any_step", "test_a_hundred_first_calls_start_one_server",
}

# What the original does otherwise, by test: wrapper or library that has the defect, and its number in the
# list of docs/interp.md. Each runs all the same, and must fail.
KNOWN = {
    "test_arguments_are_the_callers_own": ("both", "D1: @ARGV begins with interpreter and script"),
    "test_a_closed_stdout_stays_closed": ("wrapper", "D2: a closed descriptor becomes the wrapper's own connection"),
    "test_a_closed_stdin_stays_closed": ("wrapper", "D2: a closed descriptor becomes the wrapper's own connection"),
    "test_the_variable_is_not_seen_by_children": ("library", "D13: the variable is passed on"),
    "test_a_callers_variable_does_not_reach_the_service": ("library", "D13: the variable is passed on"),
    "test_an_older_file_in_its_place_is_noticed": ("library", "D17: only later times are noticed"),
    "test_a_file_of_the_future_is_noticed_once": ("library", "D17: a file dated in the future restarts each call"),
}


def applies(pair, part):
    wrapper, library, _ = pair
    return {"wrapper": wrapper == "original", "library": library == "original",
            "both": wrapper == "original" and library == "original"}.get(part, False)


def is_for(pair, test, chosen):
    """chosen: the test names its languages, so it is one of few."""
    if test in pair[2].cannot:
        return False
    if chosen or EVERYTHING:
        return True
    return pair == WHOLE or test in CORE


def pytest_collection_modifyitems(config, items):
    long = [item for item in items if item.originalname in LONG and not EVERYTHING]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def pytest_generate_tests(metafunc):
    if "pair" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("pairs")
    languages = metafunc.definition.get_closest_marker("languages")
    chosen = []
    for pair in PAIRS:
        wrapper, library, language = pair
        if only and (wrapper, library) not in only.args:
            continue
        if languages and language.name not in languages.args:
            continue
        if not is_for(pair, metafunc.function.__name__, languages):
            continue
        if metafunc.function.__name__ in WITHOUT_LANGUAGE and language is not PERL and not EVERYTHING:
            continue
        marks = []
        if language.without:
            marks.append(pytest.mark.skip(reason=language.without))
        if wrapper == "original" and not ORIGINAL.exists():
            marks.append(pytest.mark.skip(reason="package chiark-utils-bin is not installed"))
        if library == "original" and not ORIGINAL_LIBRARY.exists():
            marks.append(pytest.mark.skip(reason="package chiark-scripts is not installed"))
        part, defect = KNOWN.get(metafunc.function.__name__, ("none", ""))
        if applies(pair, part):
            marks.append(pytest.mark.xfail(reason=defect, strict=True))
        chosen.append(pytest.param(pair, id=f"{wrapper}-{library}-{language.name}", marks=marks))
    metafunc.parametrize("pair", chosen, indirect=True)


@pytest.fixture
def pair(request):
    directory = Path(tempfile.mkdtemp(prefix="brood-interp-"))
    made = Pair(*request.param, directory)
    yield made
    try:
        made.finish()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def pytest_configure(config):
    config.addinivalue_line("markers", "pairs(*pairs): only these (wrapper, library)")
    config.addinivalue_line("markers", "languages(*names): only these")

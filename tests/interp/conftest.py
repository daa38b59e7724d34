import os
import sys
import tempfile
import shutil
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import ORIGINAL, ORIGINAL_LIBRARY, Pair
from languages import CORE, LANGUAGES, PERL

PAIRS = [("ours", "ours", language) for language in LANGUAGES]
PAIRS += [("original", "ours", PERL), ("ours", "original", PERL), ("original", "original", PERL)]
if os.environ.get("BROOD_INTERP_ALL"):
    PAIRS += [("original", "ours", language) for language in LANGUAGES if language.core]

# What the original does otherwise, by test: wrapper or library that has the defect, and its number in the
# list of docs/interp.md. Each runs all the same, and is reported as expected to fail.
KNOWN = {
    "test_arguments_are_the_callers_own": ("both", "D1: @ARGV begins with interpreter and script"),
    "test_a_closed_stdout_stays_closed": ("wrapper", "D2: a closed descriptor becomes the wrapper's own connection"),
    "test_a_closed_stdin_stays_closed": ("wrapper", "D2: a closed descriptor becomes the wrapper's own connection"),
    "test_the_variable_is_not_seen_by_children": ("library", "D13: the variable is passed on"),
    "test_a_callers_variable_does_not_reach_the_service": ("library", "D13: the variable is passed on"),
    "test_background_programs_outlive_the_service": ("library", "D16: a normal end kills the group"),
    "test_an_older_file_in_its_place_is_noticed": ("library", "D17: only later times are noticed"),
    "test_a_file_of_the_future_is_noticed_once": ("library", "D17: a file dated in the future restarts each call"),
    "test_every_exit_status": ("library", "D15: an ordinary exit is reported as SIGINT"),
}


def applies(pair, part):
    wrapper, library, _ = pair
    return {"wrapper": wrapper == "original", "library": library == "original",
            "both": wrapper == "original" and library == "original"}.get(part, False)


def is_for(language, test, chosen):
    """chosen: the test names its languages, so it is one of few."""
    if test in language.cannot:
        return False
    return not language.core or chosen or test in CORE or bool(os.environ.get("BROOD_INTERP_ALL"))


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
        if not is_for(language, metafunc.function.__name__, languages):
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
            marks.append(pytest.mark.xfail(reason=defect, strict=False))
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

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from brood import Brood


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "report_" + report.when, report)
    if report.when == "call" and report.failed:
        for daemon in getattr(item, "daemons", []):
            report.sections.append((f"log of brood in {daemon.dir}", daemon.log()[-8000:]))


@pytest.fixture
def tmp_path():
    """A directory that the unprivileged user of applications can enter, which pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="brood-test-"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_brood(request, tmp_path):
    """Starts daemons, each in a directory of its own; ends them after the test."""
    request.node.daemons = daemons = []

    def make(*options, env=None, start=True):
        directory = tmp_path / f"b{len(daemons)}"
        directory.mkdir()
        os.chmod(directory, 0o755)
        daemon = Brood(directory, options, env, start=False)
        daemon.make_directories()
        daemons.append(daemon)
        if start:
            daemon.start()
        return daemon

    yield make
    failures = []
    for daemon in daemons:
        try:
            daemon.stop()
        except AssertionError as e:
            failures.append(str(e))
            daemon.kill()
        for marker in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
            if marker in daemon.log():
                failures.append(f"{marker} spoke:\n{daemon.log()[-6000:]}")
    assert not failures, "\n".join(failures)


@pytest.fixture
def brood(make_brood):
    return make_brood()

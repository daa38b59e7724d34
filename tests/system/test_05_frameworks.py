"""Debian's Flask, Django and Bottle; a virtual environment; every CPython that is installed."""

import glob
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from brood import ROOT, free_port, python_app


def importable(module):
    return subprocess.run(["/usr/bin/python3", "-c", f"import {module}"], capture_output=True).returncode == 0


def multipart(n):
    body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + b"z" * n + b"\r\n--B--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=B"}


def test_flask(brood):
    if not importable("flask"):
        pytest.skip("missing package python3-flask")
    brood.serve("flaskapp", callable="app", processes=2)
    first = brood.fetch("/")
    assert first.body == b"seen 1"
    assert brood.fetch("/", headers={"Cookie": first.fields["set-cookie"].split(";")[0]}).body == b"seen 2"
    got = brood.fetch("/json", method="POST", body=json.dumps({"a": [1]}), headers={"Content-Type": "application/json"}).json
    assert got == {"got": {"a": [1]}, "who": "127.0.0.1"}
    for n in (10, 100000, 3000000):
        body, fields = multipart(n)
        assert brood.fetch("/upload", method="POST", body=body, headers=fields).body == str(n).encode()
    assert brood.fetch("/stream").body == b"".join(b"%d\n" % i for i in range(1000))
    assert brood.fetch("/fail").status == 500
    assert brood.fetch("/static/none").status == 404


def test_django(brood):
    if not importable("django"):
        pytest.skip("missing package python3-django")
    brood.serve("djangoapp", processes=2)
    assert brood.fetch("/").text.startswith("django ")
    body, fields = multipart(200000)
    assert brood.fetch("/form", method="POST", body=body, headers=fields).json == {"form": {}, "files": {"f": 200000}}
    assert brood.fetch("/form", method="POST", body="a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}).json["form"] == {"a": "1"}
    assert brood.fetch("/stream").body.count(b"\n") == 1000
    assert brood.fetch("/none").status == 404


def test_bottle(brood):
    if not importable("bottle"):
        pytest.skip("missing package python3-bottle")
    brood.serve("bottleapp")
    assert brood.fetch("/").body == b"bottle GET"
    assert brood.fetch("/form", method="POST", body="name=%C3%A9", headers={"Content-Type": "application/x-www-form-urlencoded"}).json == {"name": "é"}
    answer = brood.fetch("/file/Apache-2.0")
    assert answer.body == Path("/usr/share/common-licenses/Apache-2.0").read_bytes()


def serve_with(brood, home):
    (brood.dir / "which.py").write_text(
        "import sys\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [repr((sys.version_info[:2], sys.prefix, sys.executable)).encode()]\n")
    brood.serve("hello")
    brood.configure({"listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/which"}},
                     "applications": {"which": {**python_app("which"), "home": str(home), "path": str(brood.dir)}}})
    return eval(brood.fetch("/").text)


def test_a_virtual_environment_with_its_own_packages(brood):
    home = brood.dir / "venv"
    made = subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", home], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip("missing package python3-venv")
    site = next(home.glob("lib/python3*/site-packages"))
    (site / "only_here.py").write_text("here = 'yes'\n")
    version, prefix, executable = serve_with(brood, home)
    assert prefix == str(home) and executable.startswith(str(home))
    (brood.dir / "own.py").write_text("import only_here\ndef application(e, s):\n    s('200 OK', [])\n    return [only_here.here.encode()]\n")
    brood.put("/config/applications/which/module", '"own"')
    assert brood.fetch("/").body == b"yes"


def interpreters():
    """Homes of CPython 3.8 and later beside Debian's: pyenv's and those under /usr/local and /opt."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    homes = []
    for path in sorted(glob.glob(f"{root}/versions/3.*/bin/python3") + glob.glob("/usr/local/bin/python3") + glob.glob("/opt/*/bin/python3")):
        run = subprocess.run([path, "-c", "import sys; print(sys.implementation.name, sys.version_info >= (3, 8))"], capture_output=True, text=True)
        if run.stdout.split() == ["cpython", "True"]:
            homes.append(str(Path(path).parents[1]))
    return homes


@pytest.mark.parametrize("home", ["/usr", *interpreters()])
def test_every_interpreter_that_is_installed(make_brood, home):
    reachable = make_brood("--user", "root", "--group", "root") if os.getuid() == 0 else make_brood()
    version, _, _ = serve_with(reachable, home)
    wanted = subprocess.run([f"{home}/bin/python3", "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True).stdout.strip()
    assert str(version) == wanted
    reachable.serve("validated", processes=2)
    reachable.configure({"listeners": {f"127.0.0.1:{reachable.port}": {"pass": "applications/v"}},
                         "applications": {"v": {**python_app("validated", processes=2), "home": home}}})
    for _ in range(50):
        assert reachable.fetch("/", method="POST", body=b"abc").body == b"abc"


@pytest.mark.parametrize("name", ["flask", "django", "bottle"])
def test_the_example(brood, name):
    """examples/NAME, with its own configuration, from a place that the unprivileged user can read."""
    if not importable(name):
        pytest.skip(f"missing package python3-{name}")
    place = brood.dir / name
    shutil.copytree(ROOT / "examples" / name, place)
    brood.port = free_port()
    text = (place / "brood.json").read_text().replace("@DIR@", str(place)).replace("@PORT@", str(brood.port))
    assert brood.put("/config", text).status == 200
    assert f"hello from {name}" in brood.fetch("/").text.lower()
    if name == "django":
        assert brood.fetch("/static/site.css").fields["content-type"] == "text/css"
        assert brood.fetch("/form", method="POST", body="a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}).json["form"] == {"a": "1"}
    if name == "bottle":
        assert brood.fetch("/form", method="POST", body="name=x", headers={"Content-Type": "application/x-www-form-urlencoded"}).json == {"name": "x"}

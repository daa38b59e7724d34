"""broodctl migrate: other servers' configurations become brood's, and what cannot is said with its place."""

import json
import os
import subprocess

import pytest

from brood import DEADLINE, SYSTEM_PYTHON_HOME, free_port
from ctl import CTL, OK, REFUSED, USAGE


class Result:
    def __init__(self, run):
        self.code, self.text, self.complaint = run.returncode, run.stdout, run.stderr
        self.config = json.loads(run.stdout) if run.returncode == OK else None

    def notes(self, kind):
        """file:line: directive of the notes of that kind, in order."""
        return [line.split(f": {kind}")[0] for line in self.complaint.splitlines() if f": {kind}" in line]

    @property
    def app(self):
        app, = self.config["applications"].values()
        return app


@pytest.fixture
def migrate(tmp_path):
    """migrate(server, {name: text, …}, flags…): writes the files, migrates the first of them."""
    def run(server, files, *flags, code=OK, env=None):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = subprocess.run([CTL, "migrate", *flags, server, next(iter(files))], capture_output=True, text=True,
                              cwd=tmp_path, timeout=DEADLINE, env={**os.environ, **(env or {})})
        assert done.returncode == code, done
        assert "AddressSanitizer" not in done.stderr and "runtime error" not in done.stderr
        return Result(done)
    return run


# --- uWSGI ---

BLOG = """\
; the blog, as django-admin's users write it
[uwsgi]
project = blog
base = /srv/www
chdir = %(base)/%(project)
module = %(project).wsgi:application
home = /srv/venv
master = true
processes = 4
cheaper = 1
socket = %(base)/%(project).sock
chmod-socket = 660
http = 127.0.0.1:9090
vacuum = true
static-map = /static=/srv/www/static
static-map = /media=/srv/files
env = DJANGO_SETTINGS_MODULE=blog.settings
env = LANG=C.UTF-8
harakiri = 30
max-requests = 5000
cron = -1 -1 -1 -1 -1 /bin/true
touch-reload = %d%n.touch
uid = www-data
req-logger = file:/var/log/blog.log
"""


def test_a_uwsgi_file(migrate):
    got = migrate("uwsgi", {"blog.ini": BLOG})
    assert got.config == {
        "listeners": {"unix:/srv/www/blog.sock": {"pass": "routes"}, "127.0.0.1:9090": {"pass": "routes"}},
        "routes": [{"match": {"uri": ["/static", "/static/*"]}, "action": {"share": "/srv/www$uri"}},
                   {"action": {"pass": "applications/blog"}}],
        "applications": {"blog": {
            "type": "python", "working_directory": "/srv/www/blog", "path": ["/srv/www/blog"], "module": "blog.wsgi",
            "home": "/srv/venv", "processes": {"max": 4, "spare": 1}, "limits": {"timeout": 30, "requests": 5000},
            "environment": {"DJANGO_SETTINGS_MODULE": "blog.settings", "LANG": "C.UTF-8"}, "user": "www-data"}},
        "access_log": "/var/log/blog.log"}
    assert got.notes("no counterpart") == ["blog.ini:16: static-map", "blog.ini:21: cron", "blog.ini:22: touch-reload"]
    assert got.notes("different") == ["blog.ini:11: socket", "blog.ini:12: chmod-socket"]
    assert got.text.startswith('{\n\t"listeners": {\n')


def test_uwsgi_variables_includes_and_sections(migrate):
    got = migrate("uwsgi", {
        "vassals/shop.ini": "[uwsgi]\nset-placeholder = where=%d\nini = common.ini\nini = :here\nwsgi-file = %(where)app.py\n"
                            "callable = app\nenv = FILE=%s:%n:%e:%c\nenv = CORES=100%%\nenv = FROM=$(BROOD_TEST_VARIABLE)\n"
                            "unknown = %(nobody)\n[here]\nthreads = 2\n[other]\nthreads = 9\n",
        "vassals/common.ini": "[uwsgi]\nhttp-socket = :8080\nworkers = 3 \n# a comment\nmaster\n",
    }, env={"BROOD_TEST_VARIABLE": "outside"})
    here = os.path.dirname(next(iter(got.app["path"]))) + "/vassals"
    assert got.app["processes"] == 3 and got.app["threads"] == 2
    assert got.app["module"] == "app" and got.app["callable"] == "app" and got.app["path"] == [here]
    assert got.app["environment"] == {"FILE": "shop.ini:shop:ini:vassals", "CORES": "100%", "FROM": "outside"}
    assert list(got.config["listeners"]) == ["*:8080"]
    assert got.notes("no counterpart") == ["vassals/shop.ini:10: unknown"]
    assert got.notes("not evaluated: nothing stands for \"%(nobody)\"") == ["vassals/shop.ini:10: unknown"]


def test_uwsgi_mounts_static_root_and_tls(migrate):
    got = migrate("uwsgi", {"many.ini": "[uwsgi]\nhttps = :443,/etc/ssl/shop.crt,/etc/ssl/shop.key\nlisten = 1024\nhttp = 8000\n"
                                        "mount = /shop=/srv/shop/main.py\nmount = /=front.wsgi:app\nmanage-script-name = true\n"
                                        "check-static = /srv/public\nstatic-index = start.html\n"})
    assert got.config["listeners"] == {"*:443": {"pass": "routes", "tls": {"certificate": "shop"}},
                                       "*:8000": {"pass": "routes", "backlog": 1024}}
    assert got.app["targets"] == {"mount1": {"module": "main", "prefix": "/shop"}, "mount2": {"module": "front.wsgi", "callable": "app"}}
    assert [r["action"] for r in got.config["routes"]][:2] == [{"pass": "applications/many/mount1"}, {"pass": "applications/many/mount2"}]
    assert "broodctl certificates put shop /etc/ssl/shop.crt KEY" in got.complaint


@pytest.mark.parametrize("options, kind, members", [
    ("psgi = /srv/app.psgi\n", "perl", {"script": "/srv/app.psgi"}), ("rack = config.ru\n", "ruby", {"script": "config.ru"}),
    ("plugin = php\nphp-docroot = /srv/php\nphp-index = i.php\nphp-set = memory_limit=1G\n", "php",
     {"root": "/srv/php", "index": "i.php", "options": {"admin": {"memory_limit": "1G"}}}),
    ("cgi = /usr/lib/cgi-bin\n", "cgi", {"root": "/usr/lib/cgi-bin"}),
])
def test_uwsgi_speaks_more_than_python(migrate, options, kind, members):
    assert migrate("uwsgi", {"uwsgi.ini": "[uwsgi]\n" + options}).config["applications"] == {"app": {"type": kind, **members}}


# --- gunicorn ---

CONF_PY = '''\
"""A text
that documents."""
import multiprocessing
import os

HOST = "127.0.0.1"   # ours
bind = [HOST + ":8000", 'unix:/run/app.sock']
workers = multiprocessing.cpu_count() * 2 + 1
worker_class = "gthread"
timeout = 60 * 2
raw_env = [
    "A=1",  # a ] in a comment
    'B=two words',
]
max_requests = 1_000
errorlog = '/var/log/app/error.log'
preload_app = True
reload = False
keepalive: int = 5
user = None
wsgi_app = "shop.wsgi:make()"
pidfile = f"/run/{HOST}"

def post_fork(server, worker):
    server.log.info("x")
    workers = 99

if os.environ.get("X"):
    workers = 4
'''


def test_a_gunicorn_file_is_read_and_never_run(migrate, tmp_path):
    got = migrate("gunicorn", {"gunicorn.conf.py": CONF_PY + f"open({str(tmp_path / 'ran')!r}, 'w')\n"})
    assert not (tmp_path / "ran").exists()
    assert got.config["listeners"] == {"127.0.0.1:8000": {"pass": "applications/shop"},
                                       "unix:/run/app.sock": {"pass": "applications/shop"}}
    assert got.config["settings"] == {"http": {"idle_timeout": 5}}
    assert got.app == {"type": "python", "module": "shop.wsgi", "factory": True, "callable": "make",
                       "working_directory": str(tmp_path), "path": [str(tmp_path)],
                       "limits": {"timeout": 120, "requests": 1000}, "environment": {"A": "1", "B": "two words"},
                       "stderr": "/var/log/app/error.log"}
    assert got.notes("not evaluated") == [f"gunicorn.conf.py:{n}" for n in ("8: workers", "22: pidfile", "28: if", "30: open")]
    assert "multiprocessing.cpu_count() * 2 + 1" in got.complaint
    assert got.notes("different")[0] == "gunicorn.conf.py:17: preload_app"
    assert got.notes("no counterpart") == ["gunicorn.conf.py:24: post_fork"]


def test_the_unit_that_starts_gunicorn(migrate):
    got = migrate("gunicorn", {
        "app.service": "[Service]\nUser=shop\nGroup=www-data\nWorkingDirectory=/srv/shop\n"
                       "Environment=\"DJANGO=1\" 'PATH=/srv/venv/bin'\nEnvironment=GUNICORN_CMD_ARGS=\"--workers=3 --bind=0.0.0.0:8080\"\n"
                       "ExecStart=/srv/venv/bin/gunicorn \\\n    -k uvicorn.workers.UvicornWorker \\\n    -t90 -c etc/g.py shop.asgi:app\n",
        "etc/g.py": "workers = 9\nthreads = 4\nbacklog = 64\n"})
    assert got.config["listeners"] == {"0.0.0.0:8080": {"pass": "applications/shop", "backlog": 64}}
    assert got.app == {"type": "python", "user": "shop", "group": "www-data", "working_directory": "/srv/shop",
                       "environment": {"DJANGO": "1", "PATH": "/srv/venv/bin"}, "home": "/srv/venv", "module": "shop.asgi",
                       "callable": "app", "path": ["/srv/shop"], "processes": 3, "threads": 4, "limits": {"timeout": 90},
                       "protocol": "asgi"}


def test_a_line_that_runs_gunicorn(migrate):
    got = migrate("gunicorn", {"Procfile": "# web: gunicorn no:no\nweb: gunicorn --bind :5000 \\\n  --workers 2 --reload 'site:app'\n"})
    assert got.app["module"] == "site" and got.app["processes"] == 2 and list(got.config["listeners"]) == ["*:5000"]
    assert got.notes("no counterpart") == ["Procfile:3: reload"]


# --- PHP-FPM ---

POOL = """\
[www]
user = www-data
group = www-data
listen = /run/php/php8.2-fpm-$pool.sock
listen.owner = www-data
listen.backlog = 511
pm = dynamic
pm.max_children = 5
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
;pm.process_idle_timeout = 10s;
pm.max_requests = 500 ; behind a value
request_terminate_timeout = 2m
access.log = /var/log/$pool.access.log
env[HOSTNAME] = $HOSTNAME
env[TMP] = /tmp
php_admin_value[sendmail_path] = "/usr/sbin/sendmail -t -i; -f www"
php_flag[display_errors] = off
php_admin_flag[log_errors] = on
slowlog = log/$pool.log.slow
chdir = /srv/www
"""


def test_pools_of_php_fpm(migrate):
    got = migrate("php-fpm", {
        "php-fpm.conf": "[global]\npid = /run/php.pid\nerror_log = /var/log/php.log\ninclude=pool.d/*.conf\n",
        "pool.d/www.conf": POOL, "pool.d/api.conf": "[api]\nlisten = 9001\npm = ondemand\npm.max_children = 8\nuser = api\n"})
    assert got.config["applications"]["www"] == {
        "type": "php", "root": "/srv/www", "processes": {"max": 5, "spare": 1}, "user": "www-data", "group": "www-data",
        "limits": {"requests": 500, "timeout": 120}, "environment": {"TMP": "/tmp"},
        "options": {"admin": {"sendmail_path": "/usr/sbin/sendmail -t -i; -f www", "log_errors": "1"},
                    "user": {"display_errors": "0"}}, "working_directory": "/srv/www"}
    assert got.config["applications"]["api"] == {
        "type": "php", "root": "/var/www/html", "processes": {"max": 8, "idle_timeout": 10}, "user": "api"}
    assert got.config["listeners"] == {"*:9001": {"pass": "applications/api"},
                                       "unix:/run/php/php8.2-fpm-www.sock": {"pass": "applications/www", "backlog": 511}}
    assert got.config["access_log"] == "/var/log/www.access.log"
    assert "php-fpm.conf:2: pid" in got.notes("no counterpart") and "pool.d/www.conf:21: slowlog" in got.notes("no counterpart")
    assert "pool.d/www.conf:4: listen" in got.notes("different")


# --- fcgiwrap ---

@pytest.mark.parametrize("name, text", [
    ("fcgiwrap.service", "[Service]\nExecStart=/usr/sbin/fcgiwrap -f -c 4 -s unix:/run/f.sock\nUser=www-data\n"),
    ("fcgiwrap", '# defaults\nFCGI_CHILDREN="4"\nFCGI_SOCKET="/run/f.sock"\nFCGI_USER="www-data"\nDAEMON_OPTS="-f"\n'),
])
def test_fcgiwrap_becomes_cgi(migrate, name, text):
    got = migrate("fcgiwrap", {name: text})
    assert got.app == {"type": "cgi", "processes": 4, "user": "www-data", "root": "/usr/lib/cgi-bin"}
    assert got.config["listeners"] == {"unix:/run/f.sock": {"pass": "applications/cgi"}}
    assert "check root" in got.complaint


# --- NGINX Unit ---

UNIT = {"listeners": {"*:8080": {"pass": "routes", "client_ip": {"header": "X", "source": "10.0.0.0/8"}}},
        "routes": [{"action": {"share": "/www$uri", "fallback": {"pass": "applications/a~b"}}}],
        "applications": {"a~b": {"type": "python", "module": "m", "limits": {"shm": 1000000}}},
        "settings": {"telemetry": {"endpoint": "x", "protocol": "http"}}}


def test_a_configuration_of_unit_stays_as_it_is(migrate):
    text = json.dumps(UNIT, indent=1)
    line = {name: 1 + text[:text.index(f'"{name}":')].count("\n") for name in ("client_ip", "shm", "telemetry")}
    got = migrate("unit", {"conf.json": text})
    assert got.config == UNIT and list(got.config) == list(UNIT)
    assert got.notes("no counterpart") == [
        f"conf.json:{line['shm']}: /applications/a~0b/limits/shm", f"conf.json:{line['telemetry']}: /settings/telemetry"]
    assert got.notes("different") == [f"conf.json:{line['client_ip']}: /listeners/*:8080/client_ip"]
    assert migrate("unit", {"all.json": json.dumps({"certificates": {}, "config": UNIT})}).config == UNIT


def test_the_state_directory_of_unit(migrate, tmp_path):
    (tmp_path / "state" / "certs").mkdir(parents=True)
    (tmp_path / "state" / "certs" / "site").write_text("PEM")
    (tmp_path / "state" / "conf.json").write_text('{"listeners": {}, // what a hand added\n"applications": {},}')
    run = subprocess.run([CTL, "migrate", "unit", tmp_path / "state"], capture_output=True, text=True)
    assert run.returncode == OK and json.loads(run.stdout) == {"listeners": {}, "applications": {}}
    assert f"{tmp_path}/state/certs/site: certs: different: upload it" in run.stderr


# --- what it says, and to whom ---


def test_the_report_as_json(migrate):
    ini = {"a.ini": "[uwsgi]\nmodule = m\nhttp = :80\ncron = x\n"}
    row = {"file": "a.ini", "line": 4, "directive": "cron", "result": "no counterpart",
           "advice": "run it beside brood, as a unit or timer of systemd"}
    assert json.loads(migrate("uwsgi", ini, "--report", "json").complaint) == [row]
    both = migrate("uwsgi", ini, "--json")
    assert both.config["report"] == [row] and both.config["configuration"]["applications"]["a"]["module"] == "m"
    assert both.complaint == ""


@pytest.mark.parametrize("server, files, place", [
    ("uwsgi", {"a.ini": b"[uwsgi]\nmodule = m\0\n"}, "a.ini:2: not text"),
    ("uwsgi", {"a.ini": "[uwsgi\nmodule = m\n"}, "a.ini:1: \"[\" without \"]\""),
    ("uwsgi", {"a.ini": "[other]\nmodule = m\n"}, "a.ini: no section [uwsgi]"),
    ("uwsgi", {"a.ini": "[uwsgi]\nini = b.ini\n", "b.ini": "[uwsgi]\n\nini = a.ini\n"}, "b.ini:3: \"a.ini\" includes itself"),
    ("uwsgi", {"a.ini": "[uwsgi]\nini = missing.ini\n"}, "a.ini:2: which is asked for here"),
    ("gunicorn", {"g.py": "a = 1\nbind = [\n'x',\n"}, "g.py:2: a bracket is not closed"),
    ("gunicorn", {"g.py": "a = 1\nbind = 'x\n"}, "g.py:2: a string does not end"),
    ("gunicorn", {"g.py": "\nx = '''y\n\n"}, "g.py:2: a string does not end"),
    ("gunicorn", {"x.service": "[Service]\nExecStart=/bin/true\n"}, "x.service:2: ExecStart does not start gunicorn"),
    ("gunicorn", {"x.service": "[Service]\nExecStart=gunicorn 'a\n"}, "x.service:2: a quote is not closed"),
    ("gunicorn", {"run.sh": "echo\n"}, "run.sh:2: no line runs gunicorn"),
    ("php-fpm", {"p.conf": "[www]\nlisten\n"}, "p.conf:2: neither a section nor NAME = VALUE"),
    ("php-fpm", {"p.conf": "[www]\nphp_value[a] = \"x\n"}, "p.conf:2: a quote is not closed"),
    ("php-fpm", {"p.conf": "[global]\npid = x\n"}, "p.conf: there is no pool"),
    ("php-fpm", {"p.conf": "include = p.conf\n"}, "p.conf:1: \"p.conf\" includes itself"),
    ("fcgiwrap", {"f": "A=1\n"}, "f: neither a systemd unit"),
    ("unit", {"c.json": '{\n"listeners": {]}'}, "c.json:2: column 15: "),
    ("unit", {"c.json": "[]"}, "c.json:1: a configuration is an object, not an array"),
])
def test_bad_input_is_refused_with_its_place(migrate, server, files, place):
    got = migrate(server, files, code=REFUSED)
    assert place in got.complaint and got.text == ""


def test_wrong_words():
    for words in (["migrate"], ["migrate", "uwsgi"], ["migrate", "apache", "x"], ["migrate", "--report", "xml", "uwsgi", "x"]):
        run = subprocess.run([CTL, *words], capture_output=True, text=True)
        assert run.returncode == USAGE and run.stdout == "", run
    run = subprocess.run([CTL, "migrate", "unit", "/nowhere/conf.json"], capture_output=True, text=True)
    assert run.returncode == REFUSED and "/nowhere/conf.json" in run.stderr


# --- and it runs ---

FLASK = "import flask\napplication = app = flask.Flask(__name__)\n@app.route('/')\ndef f():\n    return 'migrated'\n"


@pytest.mark.parametrize("server", ["uwsgi", "gunicorn", "unit"])
def test_the_result_serves(migrate, brood, tmp_path, server):
    port = free_port()
    (tmp_path / "shop.py").write_text(FLASK)
    files = {
        "uwsgi": {"shop.ini": f"[uwsgi]\nchdir = %d\nhttp = 127.0.0.1:{port}\nmodule = shop:app\nworkers = 2\nhome = {SYSTEM_PYTHON_HOME}\n"},
        "gunicorn": {"shop.service": f"[Service]\nWorkingDirectory={tmp_path}\nExecStart=/usr/bin/gunicorn -b localhost:{port} -w 2 shop:app\n"},
        "unit": {"conf.json": json.dumps({
            "listeners": {f"127.0.0.1:{port}": {"pass": "applications/shop"}},
            "applications": {"shop": {"type": "python 3", "path": str(tmp_path), "module": "shop", "processes": 2}}})},
    }[server]
    got = migrate(server, files)
    apply = subprocess.run([CTL, "--control", f"unix:{brood.control_path}", "apply", "-"], input=got.text, capture_output=True, text=True)
    assert apply.returncode == OK, apply
    answer = brood.fetch(port=port)
    assert answer.status == 200 and answer.text == "migrated" and len(brood.workers("shop")) == 2

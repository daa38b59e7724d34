"""Options that have no place in the small configuration of the other rows: each is asked for in one of its own.

A path is written as the option's, with a name for each star: the application is named after its type, so
"applications/inetd/connections/max" is an option of an application of type inetd; a number is an array's index.
Nothing of these is applied: all are dry runs.
"""

from .case import Case, INVALID, MARK, VALID
from .options import BOOL, INT, KINDS, MAX32, MAX63, NUM, OBJ, STR, STRS, mistyped

ARR, INT_OBJ = ("arr",), ("int", "obj")

# What each configuration needs beside the option.
NEEDS = {
    "applications/python": '"type": "python", "module": "m"',
    "applications/command": '"type": "command", "executable": "/bin/true"',
    "applications/inetd": '"type": "inetd", "executable": "/bin/cat"',
    "applications/stream": '"type": "stream", "executable": "/bin/cat"',
    "listeners/127.0.0.1:1": '"pass": "routes"',
    "routes/0": '"action": {"return": 200}',
}
ISOLATION = "applications/python/isolation/"


def members(*texts):
    return "{" + ", ".join(t for t in texts if t) + "}"


def configuration(path, value, beside="", name=None):
    """The text in which the option has that value; beside: what else its object has; name: its own, if it is another."""
    parts = path.split("/")
    text = value
    for i in range(len(parts) - 1, -1, -1):
        above = "/".join(parts[:i])
        if parts[i].isdigit():
            text = f"[{text}]"
            continue
        shown = name if name and i == len(parts) - 1 else f'"{parts[i]}"'
        needs = NEEDS.get(above, "")
        if f'"{parts[i]}":' in needs:
            needs = ", ".join(n for n in needs.split(", ") if f'"{parts[i]}":' not in n)
        text = members(needs, f"{shown}: {text}", beside if i == len(parts) - 1 else "", '"routes": []' if i == 0 and parts[0] == "listeners" else "")
    return text


def accepted(path, value, beside=""):
    return Case("PUT", "/config?dry_run", configuration(path, value, beside), 200, VALID, name=f"{path} accepts {value[:60]} {beside[:40]}")


def refused(path, value, *says, at="", beside="", name=None):
    marked = value if MARK in value else MARK + value
    return Case("PUT", "/config?dry_run", configuration(path, marked, beside), 400, INVALID, says=list(says), path="/" + path + at,
                name=f"{path} refuses {name or value[:60]} {beside[:40]}")


def option(path, kinds, good, bad=(), beside="", typo=True):
    """good, bad: as in options.py; beside: what the option's object needs beside it."""
    last = path.rpartition("/")[2]
    rows = [accepted(path, value, beside) for value in good]
    for value, *says in bad:
        more = says.pop() if isinstance(says[-1], dict) else {}
        rows.append(refused(path, value, *says, **{"beside": beside, **more}))
    rows += [refused(path, text, spoken, beside=beside, name=spoken) for kind, (text, spoken) in KINDS.items() if kind not in kinds]
    if kinds == STRS:
        rows += [refused(path, f'["x", {MARK}{KINDS[k][0]}]', "a string", KINDS[k][1], at="/1", beside=beside, name="array with " + KINDS[k][1])
                 for k in ("null", "int", "arr", "obj")]
    if typo and not last.isdigit():
        wrong = mistyped(last)
        text = configuration(path, "null", beside, name=f'{MARK}"{wrong}"')
        rows.append(Case("PUT", "/config?dry_run", text, 400, INVALID, says=[f'"{wrong}"', f'did you mean "{last}"?'],
                         path="/" + path.rpartition("/")[0] + "/" + wrong, name=f"{path} mistyped as {wrong}"))
    return rows


def number(path, kinds, least, most, good=(), bad=(), beside=""):
    """The bounds, and what is beyond them."""
    return option(path, kinds, [str(least), str(most), *good],
                  [(str(int(least) - 1), f"from {least}"), *([(str(int(most) + 1), str(most))] if int(most) < 2**63 - 1 else []), *bad], beside)


def flag(path, beside=""):
    return option(path, BOOL, ["true", "false"], beside=beside)


def text(path, good, bad=(), beside=""):
    start = "/" if good[0].startswith('"/') else ""
    return option(path, STR, good, [('""', ""), (rf'"{start}a\u0000b"', "NUL"), *bad], beside)


def ids(path):
    """uidmap, gidmap"""
    credential = '"namespaces": {"credential": true}'
    one = '[{"container": 0, "host": 1000, "size": 1}]'
    return [
        *option(path, ARR, [one], [(one, "credential", {"beside": ""})], beside=credential),
        *option(path + "/0", OBJ, [], [('{}', "missing"), ('{"container": 0, "host": 1}', '"size"', "missing")]),
        *number(path + "/0/container", INT, 0, 4294967295, beside='"host": 0, "size": 1')[2:],
        *number(path + "/0/host", INT, 0, 4294967295, beside='"container": 0, "size": 1')[2:],
        *number(path + "/0/size", INT, 1, 4294967295, beside='"container": 0, "host": 0')[2:],
    ]


def whole(body, *says, path=None, name):
    """A configuration that is written out, and refused at its mark or accepted."""
    if path is None:
        return Case("PUT", "/config?dry_run", body, 200, VALID, name=name)
    return Case("PUT", "/config?dry_run", body, 400, INVALID, says=list(says), path=path, name=name)


def listener(members, apps="", *says, path=None, name):
    return whole(f'{{"listeners": {{"*:1": {{{members}}}}}, "routes": [], "applications": {{{apps}}}}}', *says, path=path, name=name)


PYTHON, INETD = '"x": {"type": "python", "module": "m"}', '"x": {"type": "inetd", "executable": "/bin/cat"}'

LISTENERS = [
    *option("listeners/127.0.0.1:1/protocol", STR, ['"http"'], [('"https"', "http"), ('"tpc"', "tcp"), ('""', "http")]),
    listener('"application": "x"', PYTHON, name="listeners/*/application accepts a name"),
    listener(f'"application": {MARK}"y"', PYTHON, "does not exist", path="/listeners/*:1/application", name="listeners/*/application refuses a stranger"),
    listener(f'"application": {MARK}1', PYTHON, "a string", path="/listeners/*:1/application", name="listeners/*/application refuses an integer"),
    listener(f'"application": "x", "pass": {MARK}"routes"', PYTHON, "application", path="/listeners/*:1/pass", name="listeners/*/application refuses pass beside it"),
    listener('"protocol": "tcp", "pass": "applications/x"', INETD, name="a tcp listener accepts an inetd application"),
    listener(f'"protocol": "tcp", "pass": {MARK}"applications/x"', PYTHON, "tcp", path="/listeners/*:1/pass", name="a tcp listener refuses requests"),
    listener(f'"protocol": "tcp", "pass": {MARK}"routes"', "", "tcp", path="/listeners/*:1/pass", name="a tcp listener refuses routes"),
    listener('"protocol": "tcp", "pass": "applications/x"', INETD.replace("inetd", "stream"), name="a tcp listener accepts a stream application"),
    listener('"protocol": "tcp", "pass": "applications/x"', PYTHON.replace('"m"', '"m", "protocol": "stream"'), name="a tcp listener accepts one of Python"),
    listener(f'"pass": {MARK}"applications/x"', INETD.replace("inetd", "stream"), "tcp", path="/listeners/*:1/pass", name="an http listener refuses a stream application"),
    listener(f'"pass": {MARK}"applications/x"', INETD, "tcp", path="/listeners/*:1/pass", name="an http listener refuses an inetd application"),
]

A_BIND, AN_ID = ISOLATION + "binds", ISOLATION + "uidmap"
ISOLATED = [
    *option("applications/python/isolation", OBJ, ["{}"]),
    *option(ISOLATION + "namespaces", OBJ, ["{}"], [(f'{{{MARK}"user": true}}', "user", {"at": "/user"})]),
    *[row for name in ("cgroup", "credential", "ipc", "mount", "network", "pid", "time", "uname") for row in flag(ISOLATION + "namespaces/" + name)],
    *ids(ISOLATION + "uidmap"), *ids(ISOLATION + "gidmap"),
    *text(ISOLATION + "rootfs", ['"/srv/root"'], [('"relative"', "absolute")]),
    *option(ISOLATION + "automount", OBJ, ["{}"], [("{}", "rootfs", {"beside": ""})], beside='"rootfs": "/srv"'),
    *[row for name in ("language_deps", "procfs", "tmpfs") for row in (
        whole(f'{{"applications": {{"python": {{"type": "python", "module": "m", "isolation": {{"rootfs": "/srv", "automount": {{"{name}": false}}}}}}}}}}',
              name=f"{ISOLATION}automount/{name} accepts false"),
        *option(ISOLATION + "automount/" + name, BOOL, []))],
    *option(A_BIND, ARR, ["[]", '[{"source": "/opt"}]', '[{"source": "/opt", "target": "/a", "writable": true}]']),
    *option(A_BIND + "/0", OBJ, [], [("{}", "missing")]),
    *text(A_BIND + "/0/source", ['"/opt"'], [('"opt"', "absolute")]),
    *text(A_BIND + "/0/target", ['"/a"'], [('"a"', "absolute")], beside='"source": "/opt"'), *flag(A_BIND + "/0/writable", beside='"source": "/opt"'),
    *flag(ISOLATION + "read_only"), *flag(ISOLATION + "private_tmp"), *flag(ISOLATION + "new_privs"), *flag(ISOLATION + "seccomp"),
    *text(ISOLATION + "hostname", ['"inside"'], [('"inside"', "uname", {"beside": ""})], beside='"namespaces": {"uname": true}'),
    *option(ISOLATION + "cgroup", OBJ, ['{"path": "a"}'], [("{}", "missing")]),
    *text(ISOLATION + "cgroup/path", ['"a"', '"a/b"', '"/a"'], [('"../a"', "path"), ('"/"', "path")]),
    *option(ISOLATION + "cgroup/limits", OBJ, ["{}"], beside='"path": "a"'),
    *[row for name in ("memory", "pids") for row in option(ISOLATION + "cgroup/limits/" + name, INT, [], [("0", "from 1"), ("-1", "from 1")])],
    whole(configuration(ISOLATION + "cgroup/limits", '{"memory": 1048576, "cpu": 0.5, "pids": 10}', '"path": "a"'), name=ISOLATION + "cgroup/limits/* accept numbers"),
    *option(ISOLATION + "cgroup/limits/cpu", NUM, [], [("-1", "from 0"), ("65537", "65536")]),
    *option(ISOLATION + "rlimits", OBJ, ["{}"], [(f'{{{MARK}"nofil": 1}}', "nofil", {"at": "/nofil"})]),
    *option(ISOLATION + "rlimits/nofile", INT_OBJ, ["-1", "0", "1024", '{"soft": 1, "hard": 2}'],
            [("-2", "from -1"), ("{}", "missing"), ('{"soft": 1}', "missing"), (f'{{"soft": {MARK}2, "hard": 1}}', "hard", {"at": "/soft"})], typo=False),
    *option(ISOLATION + "rlimits/core/soft", INT, ["1", "-1"], [("-2", "from -1")], beside='"hard": -1'),
    *option(ISOLATION + "rlimits/core/hard", INT, ["1", "-1"], [("-2", "from -1")], beside='"soft": 0'),
    *number(ISOLATION + "nice", INT, -20, 19), *number(ISOLATION + "oom_score_adj", INT, -1000, 1000),
    *option(ISOLATION + "affinity", ARR, ["[0]"]), *number(ISOLATION + "affinity/0", INT, 0, 1023),
    *option(ISOLATION + "capabilities", STRS, ['"net_bind_service"', '["chown", "kill"]', "[]"], [('"net_bin"', "net_bin"), ('""', "capability")]),
    *option(ISOLATION + "paths", OBJ, ["{}"]), *flag(ISOLATION + "paths/hide_state"),
    *option(ISOLATION + "paths/read", STRS, ['"/usr"', '["/usr", "/etc"]'], [('"usr"', "absolute")]),
    *option(ISOLATION + "paths/write", STRS, ['"/var/tmp"'], [('"tmp"', "absolute")], beside='"read": "/"'),
]

PY, TARGET = "applications/python/", "applications/python/targets/a"
PYTHONS = [
    *flag(PY + "factory"), *text(PY + "prefix", ['"/a"'], [('"a"', '"/"')]), *option(PY + "protocol", STR, ['"wsgi"'], [('"asgi"', "is known"), ('"x"', "asgi"), ('""', "wsgi")]),
    *number(PY + "threads", INT, 1, MAX32),
    *option(PY + "thread_stack_size", INT, ["32768", "65536"], [("32767", "from 32768"), ("32769", "multiple"), ("2147483648", MAX32)]),
    *[whole(f'{{"applications": {{"python": {{"type": "python", "targets": {{"a": {{"module": "m"{more}}}}}}}}}}}', name=f"{TARGET} accepts {more or 'a module'}")
      for more in ("", ', "callable": "c"', ', "factory": true', ', "prefix": "/p"')],
    *[whole(f'{{"applications": {{"python": {{"type": "python", "targets": {value}}}}}}}', *says, path="/applications/python/targets" + at, name=f"{TARGET} refuses {value[:60]}")
      for value, at, *says in (
          (MARK + "{}", "", "254"), (MARK + "[]", "", "an object"), (f'{{"a": {MARK}1}}', "/a", "an object"), (f'{{"a": {MARK}{{}}}}', "/a", '"module"', "missing"),
          (f'{{"a": {{"module": {MARK}1}}}}', "/a/module", "a string"), (f'{{"a": {{"module": {MARK}""}}}}', "/a/module", "empty"),
          (f'{{"a": {{"module": "m", "callable": {MARK}1}}}}', "/a/callable", "a string"), (f'{{"a": {{"module": "m", "factory": {MARK}1}}}}', "/a/factory", "a boolean"),
          (f'{{"a": {{"module": "m", "prefix": {MARK}1}}}}', "/a/prefix", "a string"), (f'{{"a": {{"module": "m", "prefix": {MARK}"p"}}}}', "/a/prefix", '"/"'),
          (f'{{"a": {{"module": "m", {MARK}"modul": "p"}}}}', "/a/modul", "module"))],
    whole(f'{{"applications": {{"python": {{"type": "python", "module": {MARK}"m", "targets": {{"a": {{"module": "m"}}}}}}}}}}', "targets",
          path="/applications/python/module", name=f"{TARGET} refuses module beside targets"),
]

RUN, IN, STREAM = "applications/command/", "applications/inetd/", "applications/stream/"
PROGRAMS = [
    *[row for home in (RUN, IN) for row in (
        *text(home + "executable", ['"cat"', '"/bin/cat"']), *option(home + "arguments", ARR, ["[]", '["-n", ""]'], [(f'["a", {MARK}1]', "a string", {"at": "/1"})]),
        *option(home + "stop", OBJ, ["{}"]), *option(home + "stop/signal", STR, ['"INT"', '"USR2"'], [('"SIGTERM"', "TERM"), ('""', "TERM"), ('"FOO"', "TERM")]),
        *number(home + "stop/grace", NUM, 0, 86400, ["0.5"]))],
    *number(RUN + "processes", INT, 1, 1024),
    *option(RUN + "restart", STR, ['"always"', '"on-failure"', '"never"'], [('"sometimes"', "always"), ('""', "always")]),
    *option(RUN + "ready", STR, ['"start"', '"notify"', '"fd:3"', '"fd:255"'], [('"fd:2"', "fd:3"), ('"fd:256"', "fd:255"), ('"fd:"', "fd:3"), ('"never"', "start")]),
    *number(RUN + "ready_timeout", NUM, 1, 240, bad=[("5", "ready", {"beside": ""})], beside='"ready": "notify"'), *option(RUN + "replace", STR, ['"stop-first"', '"start-first"'], [('"first"', "stop-first")]),
    *number(RUN + "every", NUM, 1, 31536000, ["1.5"]),
    *option(RUN + "calendar", STR, ['"daily"', '"Mon..Fri *-*-* 03:00"', '"*-*-01 00/6:30"'],
            [('"bad"', "weekday"), ('"25:00"', "calendar"), ('""', "calendar")]),
    whole(f'{{"applications": {{"command": {{"type": "command", "executable": "x", "every": {MARK}1, "calendar": "daily"}}}}}}', "calendar",
          path="/applications/command/every", name="applications/command/every refuses calendar beside it"),
    *flag(RUN + "overlap", beside='"every": 5'),
    *option(IN + "connections", OBJ, ["{}"]), *number(IN + "connections/max", INT, 1, 65536), *number(IN + "connections/per_source", INT, 0, 65536),
    *option(IN + "timeouts", OBJ, ["{}"]), *number(IN + "timeouts/total", NUM, 0, MAX32), *flag(IN + "client_stderr"),
    *number(IN + "timeouts/idle", NUM, 0, 1000000, ["0.5"]),
    *text(STREAM + "executable", ['"cat"', '"/bin/cat"']), *option(STREAM + "arguments", ARR, ["[]", '["-n", ""]'], [(f'["a", {MARK}1]', "a string", {"at": "/1"})]),
    *option(STREAM + "processes", INT_OBJ, ["1", '{"max": 3, "spare": 1}']), *number(STREAM + "threads", INT, 1, MAX32),
    *option(STREAM + "connections", OBJ, ["{}"]), *number(STREAM + "connections/max", INT, 1, MAX32),
    *option(STREAM + "connections/choice", STR, ['"round_robin"', '"least_loaded"'], [('"random"', "round_robin"), ('""', "least_loaded")]),
    *option(STREAM + "timeouts", OBJ, ["{}"]), *number(STREAM + "timeouts/idle", NUM, 0, 1000000, ["0.5"]),
    *option(STREAM + "limits/requests", INT, ["0", "3"], [("-1", "from 0")]),
]

ROUTER, SHUTDOWN = "settings/router", "settings/shutdown"
SETTINGS = [
    *option("settings/routers", ("int", "str"), ["1", "8", '"auto"'], [("0", "from 1"), ("9", "8"), ('"all"', "auto")]),
    *number("settings/listen_threads", INT, 1, MAX32),
    whole(f'{{"settings": {{"listen_threads": {MARK}1, "routers": 2}}}}', "routers", path="/settings/listen_threads", name="settings/listen_threads refuses routers beside it"),
    *option(ROUTER, OBJ, ["{}"]), *number(ROUTER + "/priority", INT, -20, 19), *number(ROUTER + "/rlimit_nofile", INT, -1, MAX32), *option(ROUTER + "/rlimit_core", INT, ["-1", "0", MAX63], [("-2", "from -1")]),
    *option(ROUTER + "/affinity", STRS, ['"auto"', '"0"', '["0", "0-1"]'], [('"x"', "auto"), ('"0-"', "auto"), ('"256"', "256"), ('""', "auto")]),
    *text(ROUTER + "/working_directory", ['"/"'], [('"tmp"', "absolute")]),
    *text(ROUTER + "/user", ['"nobody"']), *text(ROUTER + "/group", ['"nogroup"']), *flag(ROUTER + "/dumpable"),
    *option(ROUTER + "/supplementary_groups", STRS, ['"adm"', "[]", '["adm", "mail"]'], [('""', "empty")]),
    *option(ROUTER + "/signal_mask", STRS, ['"HUP"', '["USR1", "TERM"]'], [('"KILL"', "blocked"), ('"SIGHUP"', "blocked")]),
    *option(SHUTDOWN, OBJ, ["{}"]), *number(SHUTDOWN + "/timeout", NUM, 0, 1000000, ["0.5"]), *number(SHUTDOWN + "/delay", NUM, 0, 1000000, ["0.5"]),
    *flag("settings/http/log_route"),
]


def absent(path, value, what):
    """Known, and not there yet: refused with what is lacking, and never ignored."""
    last = path.rpartition("/")[2]
    return refused(path, value, f'"{last}"', "is known, but this build has no " + what, name="an absent option")


LANGUAGES = ("php", "perl", "ruby", "external", "go", "java", "wasm", "wasm-wasi-component")
MATCH, ACTION = "routes/0/match/", "routes/0/action/"
ABSENT = [
    absent("listeners/127.0.0.1:1/forwarded", '{"source": "10.0.0.0/8"}', "trust in forwarded clients"),
    absent("listeners/127.0.0.1:1/client_ip", '{"header": "X-Forwarded-For", "source": []}', "trust in forwarded clients"),
    absent("listeners/127.0.0.1:1/tls", '{"certificate": "a"}', "TLS"),
    absent("upstreams", '{"a": {"servers": {"127.0.0.1:80": {}}}}', "upstreams"),
    *[absent(MATCH + name, value, "matching by " + what) for name, value, what in (
        ("query", '"a=b"', "query"), ("arguments", '{"a": "b"}', "arguments"), ("headers", '{"a": "b"}', "headers"), ("cookies", '{"a": "b"}', "cookies"),
        ("scheme", '"http"', "scheme"), ("source", '"127.0.0.1"', "source"), ("destination", '"127.0.0.1"', "destination"), ("if", '"$host"', "condition"))],
    *[whole(f'{{"routes": [{{"action": {{{beside}, {MARK}"{name}": {value}}}}}]}}'.replace(f'{MARK}"{name}": ', f'"{name}": {MARK}'), "is known, but this build has no " + what,
            path=f"/routes/0/action/{name}", name=f"routes/0/action/{name} refuses an absent option")
      for name, value, what, beside in (
          ("chroot", '"/a"', "confined shares", '"share": "/a"'), ("follow_symlinks", "true", "confined shares", '"share": "/a"'),
          ("traverse_mounts", "true", "confined shares", '"share": "/a"'), ("rewrite", '"/a"', "rewriting", '"return": 200'),
          ("response_headers", '{"a": "b"}', "changing of response headers", '"return": 200'))],
    whole(f'{{"routes": [{{"action": {{"proxy": {MARK}"http://127.0.0.1:80"}}}}]}}', "is known, but this build has no proxy", path="/routes/0/action/proxy",
          name="routes/0/action/proxy refuses an absent option"),
    absent("applications/python/limits/shm", "1048576", "choice of how much memory is shared"),
    *[whole(f'{{"applications": {{"x": {{"type": {MARK}"{name}"}}}}}}', f'"{name}"', "is known, but this build has no module for it", path="/applications/x/type",
            name=f"the type {name} is absent") for name in LANGUAGES],
    absent("settings/js_module", '"m"', "JavaScript"),
    absent("settings/telemetry", '{"endpoint": "http://127.0.0.1", "protocol": "http"}', "telemetry"),
    absent("settings/http/websocket", "{}", "WebSocket"), absent("settings/http/compression", "{}", "compression"),
    *[whole(f'{{"access_log": {{"path": "/dev/null", "{name}": {MARK}"a"}}}}', "is known, but this build has no " + what, path=f"/access_log/{name}",
            name=f"access_log/{name} refuses an absent option")
      for name, what in (("format", "choice of the access log's format"), ("if", "conditions of the access log"))],
]

CASES = [*LISTENERS, *ISOLATED, *PYTHONS, *PROGRAMS, *SETTINGS, *ABSENT]

"""spec/configuration.md: each option with values that are accepted, values that are refused, and why.

From its kinds come further rows: every other kind of value is refused with the names of both, and a mistyped
name is answered with the right one.
"""

from .case import Case, DONE, INVALID, MARK, VALID

# kind -> a value, and how a message names it
KINDS = {
    "null": ("null", "a null"), "bool": ("true", "a boolean"), "int": ("7", "an integer number"),
    "frac": ("7.5", "a fractional number"), "str": ('"seven"', "a string"), "arr": ("[]", "an array"), "obj": ("{}", "an object"),
}
INT, NUM, BOOL, STR, STRS, OBJ = ("int",), ("int", "frac"), ("bool",), ("str",), ("str", "arr"), ("obj",)

STEP = "/routes/main/0"
SHARE = "/routes/files/0/action"
APP = "/applications/hello"
HTTP = "/settings/http"
LISTEN = "/listeners/LISTENER"
MAX32, MAX63 = "2147483647", "9000000000e9"


def target_of(path):
    dry = "?dry_run" if path.startswith(APP) else ""  # what is valid here may well not run
    return "/config" + path + dry


def refused(path, text, *says, at="", name=None):
    """at: what is added to the pointer; a MARK in the text, else its first byte, is the place."""
    if MARK not in text:
        text = MARK + text
    return Case("PUT", target_of(path), text, 400, INVALID, says=list(says), path=path + at, name=f"{path} refuses {name or text[:60]}")


def accepted(path, text, name=None):
    dry = path.startswith(APP)
    return Case("PUT", target_of(path), text, 200, VALID if dry else DONE, value=None if dry else text,
                name=f"{path} accepts {name or text[:60]}")


def mistyped(name):
    """Two neighbours change their places."""
    for i in range(len(name) - 2, 0, -1):
        if name[i] != name[i + 1]:
            return name[:i] + name[i + 1] + name[i] + name[i + 2:]
    return name + name[-1]


def option(path, kinds, good=(), bad=(), typo=True):
    """bad: (text, words…) or (text, words…, {"at": …})"""
    parent, _, last = path.rpartition("/")
    rows = [accepted(path, text) for text in good]
    for text, *says in bad:
        more = says.pop() if isinstance(says[-1], dict) else {}
        rows.append(refused(path, text, *says, **more))
    for kind, (text, spoken) in KINDS.items():
        if kind not in kinds:
            rows.append(refused(path, text, f'"{last}"', spoken, name=spoken))
    if kinds == STRS:
        rows += [refused(path, f'["x", {MARK}{KINDS[k][0]}]', "a string", KINDS[k][1], at="/1", name="array with " + KINDS[k][1])
                 for k in ("null", "int", "arr", "obj")]
    if typo:
        wrong = mistyped(last)
        rows.append(Case("PUT", target_of(parent), f'{{\n\t{MARK}"{wrong}": null}}' if parent != APP else
                         f'{{"type": "python",\n\t{MARK}"{wrong}": null}}', 400, INVALID,
                         says=[f'"{wrong}"', f'did you mean "{last}"?'], path=f"{parent}/{wrong}", name=f"{path} mistyped as {wrong}"))
    return rows


def seconds(path, most=MAX32):
    over = str(int(most) + 1)
    return option(path, NUM, ["0", "1", "0.5", "1e2", "3.0", most],
                  [("-1", "from 0"), ("-0.001", "from 0"), (over, most, "from 0"), ("1e18", "from 0")])


def count(path, least=0, most=MAX32):
    over = str(int(most) + 1)
    return option(path, INT, [str(least), "1e2", "30.0", most], [(str(least - 1), f"from {least}"), (over, most), ("1e18", most)])


def size(path):
    return option(path, INT, ["0", "1e6", "16384", MAX63], [("-1", "from 0"), ("-9e18", "from 0")])


def flag(path):
    return option(path, BOOL, ["true", "false"])


def text(path, good, empty=False):
    rows = [] if empty else [('""', "empty")]
    return option(path, STR, good, [*rows, (r'"a\u0000b"', "NUL")])


def missing(path, body, wanted, at=""):
    return Case("PUT", target_of(path), body, 400, INVALID, says=[f'"{wanted}"', "missing"], path=path + at, name=f"{path} without {wanted} {body[:40]}")


TOP = [
    Case("PUT", "/config", '¦[]', 400, INVALID, says=["an object", "an array"], path=""),
    Case("PUT", "/config", '¦null', 400, INVALID, says=["an object", "a null"], path=""),
    Case("PUT", "/config", '¦1', 400, INVALID, says=["an object"], path=""),
    Case("PUT", "/config", '¦"x"', 400, INVALID, says=["an object"], path=""),
    *[Case("PUT", "/config", "{%s}" % t, 200, DONE, value="{%s}" % t) for t in (
        "", '"settings": {}', '"routes": []', '"routes": {}', '"listeners": {}', '"applications": {}', '"routes": [{"action": {"return": 200}}]')],
    *[Case("PUT", "/config", f'{{¦"{wrong}": {{}}}}', 400, INVALID, says=[f'"{wrong}"', *([f'did you mean "{right}"?'] if right else [])], path="/" + wrong)
      for wrong, right in (("listner", "listeners"), ("Routes", "routes"), ("route", "routes"), ("aplications", "applications"),
                           ("application", "applications"), ("setings", "settings"), ("accesslog", "access_log"), ("nonsense", None), ("", None))],
    *option("/listeners", OBJ, typo=False), *option("/routes", ("obj", "arr"), typo=False), *option("/applications", OBJ, typo=False),
    *option("/settings", OBJ, ["{}"], typo=False),
]


def address(text, ok, word=""):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    body = f'{{"listeners": {{¦"{quoted}": {{"pass": "routes"}}}}, "routes": []}}'
    name = f"address {text[:20]!r}, {len(text)} bytes"
    if ok:
        return Case("PUT", "/config?dry_run", body.replace(MARK, ""), 200, VALID, name=name)
    pointer = "/listeners/" + text.encode().decode("unicode_escape").replace("~", "~0").replace("/", "~1") if "\\" not in text else "/listeners/" + text
    return Case("PUT", "/config?dry_run", body, 400, INVALID, says=[word], path=pointer, name=name)


LISTENERS = [
    *[address(t, True) for t in (
        "127.0.0.1:1", "127.0.0.1:65535", "0.0.0.0:80", "*:8080", "[::1]:8080", "[::]:8080", "[2001:db8::1]:443", "[::ffff:127.0.0.1]:80", "unix:/run/app.sock",
        "unix:@name", "unix:/" + "x" * 106, "unix:@" + "x" * 106, "unix:relative.sock")],
    *[address(t, False, w) for t, w in (
        ("", "port"), ("*", "port"), ("127.0.0.1", "port"), ("127.0.0.1:", "port"), ("*:0", "port"), ("*:65536", "port"), ("*:99999999999999999999", "port"),
        ("*:-1", "port"), ("*:+80", "port"), ("*: 80", "port"), ("*:80 ", "port"), ("*:080", "port"), ("*:http", "port"), ("*:80-90", "port"), (":80", "IPv4"),
        ("localhost:80", "IPv4"), ("example.com:80", "IPv4"), ("127.1:80", "IPv4"), ("127.0.0.256:80", "IPv4"), ("127.0.0.1.1:80", "IPv4"), ("0x7f.0.0.1:80", "IPv4"),
        ("127.0.0.01:80", "IPv4"), ("**:80", "IPv4"), ("::1:80", "IPv4"), ("[::1]", "port"), ("[::1]80", "port"), ("[::1:80", "IPv"), ("[:::1]:80", "IPv6"), ("[]:80", "IPv6"),
        ("[127.0.0.1]:80", "IPv6"), ("[::1%lo]:80", "IPv6"), ("[fe80::1%eth0]:80", "IPv6"), ("unix:", "path"), ("unix:@", "path"), ("unix:/" + "x" * 107, "107"),
        ("tcp:80", "IPv4"), ("http://127.0.0.1:80", "IPv4"))],
    *[Case("PUT", "/config" + LISTEN, MARK + KINDS[k][0], 400, INVALID, says=["an object", KINDS[k][1]], path=LISTEN, name=f"{LISTEN} refuses {k}")
      for k in KINDS if k != "obj"],
    missing(LISTEN, "¦{}", "pass"), missing(LISTEN, '¦{"backlog": 5}', "pass"),
    *option(LISTEN + "/pass", STR, ['"routes/main"', '"routes/empty"', '"routes/sl%2Fash"', '"routes/per%25cent"', '"applications/hello"', '"routes/$host"',
                                    '"applications/${arg_a}"', '"$uri"'],
            [('""', "pass"), ('"nowhere"', "pass"), ('"routes"', "routes"), ('"routes/"', "pass"), ('"routes/mian"', 'did you mean "main"?'),
             ('"routes/none/of/it"', "pass"), ('"routes/main/x"', "pass"), ('"applications"', "pass"), ('"applications/"', "pass"),
             ('"applications/helo"', 'did you mean "hello"?'), ('"applications/hello/target"', "target"), ('"applications/hello/a/b"', "pass"),
             ('"Routes/main"', "pass"), ('"/routes/main"', "pass"), ('"routes/ma%6"', "pass"), ('"routes/%zz"', "pass"), ('"routes/$nothing"', "nothing"),
             ('"routes/$hots"', "host"), ('"routes/${host"', "pass"), ('"routes/$"', "pass"), ('"upstreams/none"', "destination")]),
    *option(LISTEN + "/backlog", INT, ["-1", "0", "1", "511", "1e2", "3.0", MAX32], [("-2", "from -1"), ("2147483648", MAX32), ("1e18", MAX32)]),
]


def pattern(path):
    return option(path, STRS, ['""', '"!"', '"a"', '"a*"', '"*a"', '"*"', '"a*b*c"', '"!a"', '"~^a"', '"!~b$"', "[]", '["a", "!b", "~c"]'],
                  [('"~("', "pattern"), ('"!~["', "pattern"), ('"a**b"', "pattern"), ('["a", ¦"~("]', "pattern", {"at": "/1"}), ('"~*"', "pattern")])


ROUTES = [
    *[Case("PUT", "/config/routes", "{%s, \"main\": []}" % f'"x": {MARK}{KINDS[k][0]}', 400, INVALID, says=["an array", KINDS[k][1]], path="/routes/x", name=f"a named route refuses {k}")
      for k in KINDS if k != "arr"],
    *[Case("PUT", "/config/routes/main", f"[{MARK}{KINDS[k][0]}]", 400, INVALID, says=["an object", KINDS[k][1]], path=STEP, name=f"a step refuses {k}")
      for k in KINDS if k != "obj"],
    missing(STEP, "¦{}", "action"), missing(STEP, '¦{"match": {}}', "action"),
    Case("POST", "/config/routes/main", '{"action": ¦{}}', 400, INVALID, says=["exactly one"], path="/routes/main/1/action", name="POST of a step that cannot act"),
    Case("PUT", "/config/routes/main/1", '{"action": ¦{}}', 400, INVALID, says=["exactly one"], path="/routes/main/1/action", name="PUT of a second step that cannot act"),
    Case("PUT", "/config/routes/main", '[{"action": {"return": 200}}, {"action": {"return": ¦-1}}]', 400, INVALID, says=["return"], path="/routes/main/1/action/return"),
    *option(STEP + "/match", OBJ, ["{}", '{"uri": "/", "host": "a", "method": "GET"}']),
    *pattern(STEP + "/match/method"), *pattern(STEP + "/match/host"), *pattern(STEP + "/match/uri"),
    accepted(STEP + "/match/uri", '"/%2A%21%7e"'), refused(STEP + "/match/uri", '"/%"', "pattern"), refused(STEP + "/match/uri", '"/%zz"', "pattern"),
    accepted(STEP + "/match/uri", '"~/%zz"', "a regular expression is not decoded"),
    *option(STEP + "/action", OBJ, ['{"return": 204}', '{"share": "/a"}', '{"pass": "routes/empty"}'],
            [("{}", "none"), ('{"return": 200, "share": "/"}', "two"), ('{"return": 200, "share": "/", "pass": "routes/empty"}', "three"),
             ('{"pass": "routes/empty", "location": ¦"/"}', "return", {"at": "/location"}), ('{"return": 200, "index": ¦"a"}', "share", {"at": "/index"}),
             ('{"return": 200, "types": ¦"a"}', "share", {"at": "/types"}), ('{"return": 200, "fallback": ¦{"return": 404}}', "share", {"at": "/fallback"}),
             ('{"location": "/"}', "none")]),
    *option(STEP + "/action/return", INT, ["0", "100", "200", "404", "599", "999", "2e2", "200.0"], [("-1", "from 0"), ("1000", "999"), ("1e9", "999")]),
    *option(STEP + "/action/location", STR, ['"/a"', '"https://$host$request_uri"', '""'], [('"$nothing"', "nothing"), ('"$hots"', "$host"), ('"${uri"', "location"), ('"$"', "location")]),
    *[Case("PUT", "/config" + STEP + "/action", f'{{"pass": ¦{t}}}', 400, INVALID, says=[w], path=STEP + "/action/pass", name=f"action/pass refuses {t}")
      for t, w in (('"routes/none"', "none"), ('"applications/helo"', 'did you mean "hello"?'), ('"routes/empt"', 'did you mean "empty"?'), ("1", "a string"), ("null", "a null"))],
    *option(SHARE + "/share", STRS, ['"/www$uri"', '["/a$uri", "/b$uri"]', '"relative"', '"$uri"'],
            [("[]", "at least one"), ('"/$nothing"', "nothing"), ('["/a", ¦"/$hots"]', "$host", {"at": "/1"})]),
    *option(SHARE + "/index", STR, ['"index.php"', '""'], [(r'"a\u0000"', "NUL")]),
    *pattern(SHARE + "/types"),
    *option(SHARE + "/fallback", OBJ, ['{"return": 404}', '{"share": "/b", "fallback": {"return": 404}}'],
            [("{}", "none"), ('{"share": "/b", "fallback": ¦{}}', "none", {"at": "/fallback"}), ('{"return": ¦1000}', "999", {"at": "/return"}),
             ('{¦"retrun": 200}', 'did you mean "return"?', {"at": "/retrun"})]),
]

APPLICATIONS = [
    *[Case("PUT", "/config/applications/x?dry_run", MARK + KINDS[k][0], 400, INVALID, says=["an object", KINDS[k][1]], path="/applications/x", name=f"an application refuses {k}")
      for k in KINDS if k != "obj"],
    missing("/applications/x", "¦{}", "type"), missing("/applications/x", '¦{"type": "python"}', "module"),
    *[accepted(APP + "/type", t) for t in ('"python"', '"python 3"', '"python3"')],
    *[refused(APP + "/type", t, *w) for t, *w in (
        ('""', "type"), ('"cobol"', "cobol"), ('"pyhton"', 'did you mean "python"?'), ('"python 2"', "python 2"), ('"python 3.999"', "3.999"), ('"Python"', "Python"),
        ('" python"', "type"), ('"python x"', "type"), ("null", "a null"), ("1", "an integer number"), ("[]", "an array"), ("{}", "an object"), ("true", "a boolean"))],
    *option(APP + "/processes", ("int", "obj"), ["1", "2", "1e2", MAX32, "{}", '{"max": 3, "spare": 3}', '{"spare": 1}', '{"max": 5, "idle_timeout": 0}', '{"spare": 0}'],
            [("0", "from 1"), ("-1", "from 1"), ("2147483648", MAX32), ('{"spare": ¦2}', "max", {"at": "/spare"}), ('{"max": 2, "spare": ¦3}', "max", {"at": "/spare"}),
             ('{"max": ¦0}', "from 1", {"at": "/max"})]),
    *count(APP + "/processes/max", 1), *option(APP + "/processes/spare", INT, ["0", "1"], [("-1", "from 0"), ("2", "max"), ("2147483648", MAX32)]),
    *seconds(APP + "/processes/idle_timeout", "2147483"),
    *option(APP + "/limits", OBJ, ["{}"]), *seconds(APP + "/limits/timeout"), *count(APP + "/limits/requests"),
    *text(APP + "/user", ['"nobody"']), *text(APP + "/group", ['"nogroup"']), *text(APP + "/working_directory", ['"/"', '"/tmp"']),
    *text(APP + "/stdout", ['"/dev/null"']), *text(APP + "/stderr", ['"/dev/null"']),
    *option(APP + "/environment", OBJ, ["{}", '{"A": "", "b c": "x=y"}'],
            [('{¦"": "x"}', "empty", {"at": "/"}), ('{¦"A=B": "x"}', "A=B", {"at": "/A=B"}), (r'{¦"A\u0000": "x"}', "NUL", {"at": "/A\ufffd"}),
             (r'{"A": ¦"x\u0000"}', "NUL", {"at": "/A"}), ('{"A": ¦1}', "a string", {"at": "/A"}), ('{"A": ¦null}', "a string", {"at": "/A"}), ('{"A": ¦true}', "a string", {"at": "/A"})]),
    *text(APP + "/module", ['"hello"', '"a.b"']), *text(APP + "/callable", ['"app"']), *text(APP + "/home", ['"/usr"']),
    *option(APP + "/path", STRS, ['"/a"', "[]", '["/a", "b"]'], [(r'"a\u0000"', "NUL"), (r'["a", ¦"b\u0000"]', "NUL", {"at": "/1"})]),
    refused("/applications/x", '{"type": "python", "module": "a", ¦"modul": "b"}', 'did you mean "module"?', at="/modul"),
    Case("PUT", "/config/applications?dry_run", r'{¦"x\u0000y": {"type": "python", "module": "a"}}', 400, INVALID, says=["NUL"], path="/applications/x\ufffdy"),
    *[Case("PUT", f"/config/applications/{quoted}?dry_run", '{"type": "python", "module": "hello"}', 200, VALID, name=f"an application named {quoted}")
      for quoted in ("a%2Fb", "a%20b", "%25", "%C3%A9", "%22", "%0A", "x" * 200)],
]

TIMES = [HTTP + "/" + n for n in ("header_read_timeout", "body_read_timeout", "send_timeout", "idle_timeout")]
SIZES = [HTTP + "/" + n for n in ("max_body_size", "body_buffer_size", "large_header_buffer_size")]
FLAGS = [HTTP + "/" + n for n in ("discard_unsafe_fields", "server_version", "chunked_transform")]
SETTINGS = [
    *option(HTTP, OBJ, ["{}", '{"idle_timeout": 1}']),
    *[row for path in TIMES for row in seconds(path)], *[row for path in SIZES for row in size(path)], *count(HTTP + "/large_header_buffers"),
    *[row for path in FLAGS for row in flag(path)], *text(HTTP + "/body_temp_path", ['"/tmp"']),
    *option(HTTP + "/static", OBJ, ["{}"]),
    *option(HTTP + "/static/mime_types", OBJ, ["{}", '{"text/x": ".x"}', '{"text/x": [".x", "README"], "text/y": []}', '{"text/html": ".htm2"}', '{"text/x": ".html"}'],
            [('{"text/x": ¦""}', "empty", {"at": "/text~1x"}), ('{"text/x": [".a", ¦""]}', "empty", {"at": "/text~1x/1"}),
             ('{"text/x": ".a", "text/y": ¦".a"}', "twice", {"at": "/text~1y"}), ('{"text/x": [".a", ¦".A"]}', "twice", {"at": "/text~1x/1"}),
             ('{"text/x": ¦1}', "a string", {"at": "/text~1x"}), ('{"text/x": ¦null}', "a null", {"at": "/text~1x"}), ('{"text/x": [¦{}]}', "a string", {"at": "/text~1x/0"})]),
]

ACCESS_LOG = [
    *option("/access_log", ("str", "obj"), ['"DIRECTORY/other.log"', '{"path": "DIRECTORY/other.log"}', '"/dev/null"', '"/dev/stderr"'],
            [('""', "empty"), (r'"/tmp/a\u0000"', "NUL"), ('{"path": ¦""}', "empty", {"at": "/path"}), ('"' + "/" * 512 + '"', "511")], typo=False),
    missing("/access_log", "¦{}", "path"),
    *option("/access_log/path", STR, ['"DIRECTORY/other.log"'], [('""', "empty"), (r'"a\u0000"', "NUL"), ('"/' + "x" * 600 + '"', "511")]),
    Case("PUT", "/config/access_log", '"DIRECTORY/no/such/place.log"', 500, "Failed to apply new configuration.", says=["DIRECTORY/no/such/place.log", "No such file"]),
    Case("PUT", "/config/access_log", '"DIRECTORY"', 500, "Failed to apply new configuration.", says=["DIRECTORY", "Is a directory"]),
]

CASES = [*TOP, *LISTENERS, *ROUTES, *APPLICATIONS, *SETTINGS, *ACCESS_LOG]

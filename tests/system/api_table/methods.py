"""spec/control-api.md, 1.1, 1.2, 2 and 5.1: paths, methods, and the answer to each pair of them."""

from .case import (BAD_JSON, BAD_REQUEST, Case, DONE, INVALID, INVALID_METHOD, INVALID_PATH, MISSING, NOT_ALLOWED)

STEP = "/config/routes/main/0"
RETURN = STEP + "/action/return"
OTHERS = ("HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "QUERY", "BREW")


def get(target, value, name=""):
    return Case("GET", target, value=value, name=name)


def missing(method, target, body=None, title=MISSING):
    return Case(method, target, body, 404, title)


def refused(method, target, title, body=None):
    return Case(method, target, body, 405, title)


PATHS = [
    # merged, resolved, one slash at the end, no query
    *[get(t, "200") for t in (
        RETURN, RETURN + "/", "//config/routes/main/0/action/return", "/config//routes///main/0/action/return", "/./config/routes/main/0/./action/return/.",
        "/config/x/../routes/main/0/action/return", "/status/../config/routes/main/0/action/return", "/config/routes/main/0/action/return/x/..",
        RETURN + "?", RETURN + "?a=b", RETURN + "?/../..", "/config/routes/main/0/action/return/?x", "/config/routes/main/%30/action/return",
        "/%63onfig/routes/main/0/action/return", "/config/routes/main/0/action/%72%65turn")],
    *[Case("GET", t, None, 400, BAD_REQUEST) for t in ("/..", "/../config", "/config/../..", "/config/../../config", "config", "*", "/config/%", "/config/%2", "/config/%zz")],
    # split before decoding
    get("/config/routes/sl%2Fash", "[]"), get("/config/routes/sl%2fash", "[]"), missing("GET", "/config/routes/sl/ash"), missing("GET", "/config/routes/sl%252Fash"),
    get("/config/routes/per%25cent", "[]"), Case("GET", "/config/routes/per%cent", None, 404, MISSING, name="%ce is a byte that begins no character"),
    get("/config/routes/%C3%BCml%c3%a4ut", "[]"), missing("GET", "/config/routes/%2E%2E/routes"), missing("GET", "/config/%2e/routes"), missing("GET", "/config%2Froutes"),
    missing("GET", "/config/routes/main+"), missing("GET", "/config/Routes"),
    Case("GET", "/config/routes/main%00", None, 400, BAD_REQUEST), Case("PUT", "/config/routes/x%00", "[]", 400, BAD_REQUEST),
    get("/config/listeners/LISTENER/pass", '"routes/main"'), get("/config/listeners/LISTENER?x=y", '{"pass": "routes/main"}'),
    # indexes
    *[missing("GET", f"/config/routes/main/{t}") for t in ("1", "01", "00", "-1", "+0", "0x0", "0.0", "0e0", "x", "%20", "0%20", "18446744073709551616", "4294967296", "-", "last")],
    get("/config/routes/main/0", '{"match": {}, "action": {"return": 200}}'),
    # long segments
    missing("GET", "/config/routes/" + "x" * 256), missing("GET", "/config/routes/" + "x" * 257),
    Case("PUT", "/config/routes/" + "x" * 256, "[]", 200, DONE, value="[]"), missing("PUT", "/config/routes/" + "x" * 257, "[]"),
    Case("PUT", "/config/routes/" + "%78" * 256, "[]", 200, DONE, value="[]"), missing("PUT", "/config/routes/" + "%78" * 257, "[]"),
    missing("DELETE", "/config/routes/" + "x" * 257), missing("POST", "/config/routes/" + "x" * 257, "[]"),
    # members of scalars, with every method
    *[missing(m, t, "{}" if m in ("PUT", "POST") else None)
      for t in (RETURN + "/x", RETURN + "/0", "/config/routes/files/0/action/share/0", "/config/routes/files/0/action/share/x/y")
      for m in ("GET", "PUT", "POST", "DELETE")],
    # what there is at the top
    *[missing(m, t, "{}" if m in ("PUT", "POST") else None)
      for t in ("/nothing", "/configs", "/Config", "/control", "/control/applications", "/control/applications/hello", "/control/applications/hello/stop",
                "/control/applications/hello/restart/now", "/control/routers/restart")
      for m in ("GET", "PUT", "POST", "DELETE")],
]

GETS = [
    get("/config/routes/empty", "[]"), get("/config/settings/http/static", '{"mime_types": {}}'), get("/config/applications/hello/limits", "{}"),
    *[missing("GET", t) for t in ("/config/nothing", "/config/routes/nothing", "/config/settings/http/idle_timeout", "/config/routes/main/0/match/uri", "/config/upstreams")],
]

PUTS = [
    Case("PUT", RETURN, "404", 200, DONE, value="404", name="PUT replaces a scalar"),
    Case("PUT", RETURN, "200", 200, DONE, value="200", name="PUT of what is there already"),
    Case("PUT", STEP, '{"action": {"return": 1}}', 200, DONE, value='{"action": {"return": 1}}', name="PUT replaces an element"),
    Case("PUT", "/config/routes/new", "[]", 200, DONE, value="[]", name="PUT creates a member"),
    Case("PUT", "/config/routes/ne%2Fw", "[]", 200, DONE, value="[]", name="PUT creates a member with a slash in its name"),
    Case("PUT", "/config/routes/main/1", '{"action": {"return": 1}}', 200, DONE, value='{"action": {"return": 1}}', name="PUT at the end appends"),
    Case("PUT", "/config/routes/empty/0", '{"action": {"return": 1}}', 200, DONE, value='{"action": {"return": 1}}', name="PUT into an empty array"),
    Case("PUT", "/config/routes/", '{"main": []}', 200, DONE, value='{"main": []}', name="PUT with a slash at the end"),
    Case("PUT", "/config/routes?x=y", '{"main": []}', 200, DONE, name="PUT with a query"),
    Case("PUT", "/config", '{"routes": []}', 200, DONE, value='{"routes": []}', name="PUT of everything"),
    Case("PUT", "/config/", '{}', 200, DONE, value='{}', name="PUT of an empty object"),
    *[missing("PUT", t, "{}") for t in (
        "/config/routes/main/2", "/config/routes/main/x", "/config/routes/main/01", "/config/routes/main/-1", "/config/routes/main/9/action", "/config/upstreams/x",
        "/config/routes/nothing/0", "/config/settings/websocket/x", "/config/settings/http/websocket/x", "/config/a/b/c/d")],
    *[Case("PUT", t, "{¦", 400, BAD_JSON, name=f"bad JSON comes first: {t}") for t in ("/config/nothing/there", "/config/routes/main/7", RETURN + "/x", "/config")],
    *[refused("PUT", t, title, "{¦".replace("¦", "")) for t, title in (("/", INVALID_METHOD), ("/status", INVALID_METHOD), ("/control/applications/hello/restart", NOT_ALLOWED))],
]

POSTS = [
    Case("POST", "/config/routes/main", '{"action": {"return": 1}}', 200, DONE, name="POST appends"),
    Case("POST", "/config/routes/empty", '{"action": {"return": 1}}', 200, DONE, name="POST into an empty array"),
    *[refused("POST", t, NOT_ALLOWED, "{}") for t in ("/config", "/config/", "/config/routes", STEP, RETURN, "/config/listeners", "/config/applications/hello", "/config/access_log/path")],
    *[missing("POST", t, "{}") for t in ("/config/nothing", "/config/routes/nothing", "/config/routes/main/1", "/config/upstreams/x/servers", "/config/routes/main/0/x")],
    *[Case("POST", t, "[¦", 400, BAD_JSON, name=f"bad JSON comes first: POST {t}") for t in ("/config", "/config/nothing", "/config/routes/main")],
    Case("POST", "/config/routes/main", "¦1", 400, INVALID, says=["an object"], path="/routes/main/1"),
]

DELETES = [
    Case("DELETE", "/config/routes/empty", None, 200, DONE, name="DELETE of a member"),
    Case("DELETE", "/config/access_log", None, 200, DONE, name="DELETE of an option"),
    Case("DELETE", "/config/routes/sl%2Fash", None, 200, DONE, name="DELETE of a member with a slash"),
    Case("DELETE", "/config/settings/http/static/", None, 200, DONE, name="DELETE with a slash at the end"),
    Case("DELETE", "/config", None, 200, DONE, value=None, name="DELETE of everything"),
    Case("DELETE", "/config", "no JSON", 200, DONE, name="DELETE does not look at its body"),
    *[missing("DELETE", t) for t in ("/config/nothing", "/config/routes/nothing", "/config/routes/main/1", "/config/routes/main/x", "/config/a/b/c", "/config/upstreams")],
    Case("DELETE", "/config/routes/main", None, 400, INVALID, says=["main"], path="/listeners/LISTENER/pass", name="DELETE of a route in use"),
    Case("DELETE", "/config/routes", None, 400, INVALID, says=["main"], path="/listeners/LISTENER/pass", name="DELETE of all routes in use"),
    Case("DELETE", STEP + "/action", None, 400, INVALID, says=["action", "missing"], path="/routes/main/0", name="DELETE of what is required"),
    Case("DELETE", RETURN, None, 400, INVALID, says=["exactly one"], path="/routes/main/0/action", name="DELETE of the only action"),
    Case("DELETE", "/config/applications/hello/module", None, 400, INVALID, says=["module", "missing"], path="/applications/hello", name="DELETE of a module"),
    Case("DELETE", "/config/applications/hello/type", None, 400, INVALID, says=["type", "missing"], path="/applications/hello", name="DELETE of a type"),
    Case("DELETE", "/config/listeners/LISTENER/pass", None, 400, INVALID, says=["pass", "missing"], path="/listeners/LISTENER", name="DELETE of a pass"),
]

OTHER_METHODS = [
    *[Case(m, t, None, 405, NOT_ALLOWED) for m in OTHERS for t in ("/config", "/config/routes", "/config/nothing", "/control/applications/hello/restart")],
    *[Case(m, t, None, 405, INVALID_METHOD) for m in (*OTHERS, "PUT", "POST", "DELETE") for t in ("/", "/status", "/status/requests")],
    *[Case(m, t, None, 400, BAD_REQUEST, name=f"{m}: a method is in capitals {t}") for m in ("get", "Put") for t in ("/config", "/none")],
    *[Case(m, "/certificates", None, 405, INVALID_METHOD) for m in (*OTHERS, "POST")],
    *[Case(m, "/control/applications/hello/restart", None, 405, NOT_ALLOWED) for m in ("PUT", "DELETE")],
    *[missing(m, "/nothing") for m in OTHERS if m != "HEAD"],
]

STATUS = [
    *[get(f"/status/{t}", None) for t in (
        "", "modules", "modules/python", "modules/python/version", "modules/python/lib", "connections", "connections/accepted", "connections/active", "connections/idle",
        "connections/closed", "requests", "requests/total", "applications", "applications/hello", "applications/hello/processes", "applications/hello/processes/running",
        "applications/hello/processes/starting", "applications/hello/processes/idle", "applications/hello/requests", "applications/hello/requests/active",
        "requests/total/", "requests/../requests/total?x", "%72equests/total")],
    *[missing("GET", f"/status/{t}", title=INVALID_PATH) for t in (
        "nothing", "requests/nothing", "requests/total/x", "applications/none", "applications/hello/none", "modules/cobol", "connections/0", "Requests", "applications/hel%2Flo")],
]

RESTARTS = [
    *[Case(m, "/control/applications/hello/restart", None, 200, "Ok") for m in ("GET", "POST")],
    Case("GET", "/control/applications/%68ello/restart/", None, 200, "Ok"),
    *[missing(m, f"/control/applications/{n}/restart") for m in ("GET", "POST") for n in ("none", "hel%2Flo", "")],
    Case("POST", "/control/applications/hello%00/restart", None, 400, BAD_REQUEST),
]

CASES = [*PATHS, *GETS, *PUTS, *POSTS, *DELETES, *OTHER_METHODS, *STATUS, *RESTARTS]

"""docs/schema.json: a schema in itself, what brood accepts passes, and what its types forbid does not."""

import json

import jsonschema
import pytest

from brood import ROOT, python_app

SCHEMA = json.loads((ROOT / "docs" / "schema.json").read_text())
CHECKER = jsonschema.Draft202012Validator(SCHEMA)
AT = "127.0.0.1:8399"


def app(**options):
    return {"applications": {"a": {**python_app("hello"), **options}}}


def without(config, *names):
    for name in names:
        del config["applications"]["a"][name]
    return config


def step(action, **match):
    return {"routes": [{"match": match, "action": action}]}


def http(**settings):
    return {"settings": {"http": settings}}


def listening(**options):
    return {"listeners": {AT: options}, "routes": []}


GOOD = {
    "nothing": {},
    "empty": {"listeners": {}, "routes": [], "applications": {}},
    "named": {"listeners": {AT: {"pass": "routes/a", "backlog": -1}}, "routes": {"a": []}},
    "older": {"listeners": {AT: {"application": "a"}}, **app()},
    "patterns": step({"return": 200}, uri=["/a*", "!/b"], method="get", host=[]),
    "location": step({"return": 301, "location": "https://$host$uri"}),
    "share": step({"share": ["/a$uri", "/b"], "index": "i", "types": "text/*", "fallback": {"share": "/c", "fallback": {"return": 404}}}),
    "number": app(processes=2),
    "limits": app(processes={"max": 4, "spare": 2, "idle_timeout": 0.5}, limits={"timeout": 1.5, "requests": 100}),
    "python": app(callable="application", factory=False, prefix="/p", protocol="wsgi", threads=2, thread_stack_size=131072),
    "version": app(type="python3"),
    "environment": app(environment={"A": "", "B": "c"}, stdout="/dev/null", stderr="/dev/null"),
    "targets": without(app(targets={"t": {"module": "hello"}, "u": {"module": "hello", "callable": "application"}}), "module"),
    "settings": http(header_read_timeout=0.5, max_body_size=9000000000, server_version=False, static={"mime_types": {"a/b": [".x", ".y"], "c/d": ".z"}}),
    "log": {"access_log": "/dev/null"},
    "log object": {"access_log": {"path": "/dev/null"}},
}

BAD = {
    "root": ([], ""),
    "unknown": ({"listener": {}}, "/listener"),
    "listeners": ({"listeners": []}, "/listeners"),
    "no pass": (listening(), f"/listeners/{AT}"),
    "pass type": (listening(**{"pass": 1}), f"/listeners/{AT}/pass"),
    "two ways": ({"listeners": {AT: {"pass": "routes", "application": "a"}}, "routes": [], **app()}, f"/listeners/{AT}/pass"),
    "backlog": (listening(**{"pass": "routes", "backlog": -2}), f"/listeners/{AT}/backlog"),
    "backlog fraction": (listening(**{"pass": "routes", "backlog": 1.5}), f"/listeners/{AT}/backlog"),
    "tls": (listening(**{"pass": "routes", "spdy": {}}), f"/listeners/{AT}/spdy"),
    "routes": ({"routes": "x"}, "/routes"),
    "named routes": ({"routes": {"a": {}}}, "/routes/a"),
    "no action": ({"routes": [{}]}, "/routes/0"),
    "no kind": (step({}), "/routes/0/action"),
    "two kinds": (step({"return": 200, "share": "/a"}), "/routes/0/action"),
    "status": (step({"return": 1000}), "/routes/0/action/return"),
    "negative status": (step({"return": -1}), "/routes/0/action/return"),
    "location alone": (step({"share": "/a", "location": "/b"}), "/routes/0/action/location"),
    "index alone": (step({"return": 200, "index": "x"}), "/routes/0/action/index"),
    "fallback alone": (step({"return": 200, "fallback": {"return": 1}}), "/routes/0/action/fallback"),
    "fallback inside": (step({"share": "/a", "fallback": {"share": "/a", "location": "x"}}), "/routes/0/action/fallback/location"),
    "fallback": (step({"share": "/a", "fallback": {}}), "/routes/0/action/fallback"),
    "share type": (step({"share": [1]}), "/routes/0/action/share/0"),
    "match type": (step({"return": 200}, uri={}), "/routes/0/match/uri"),
    "match element": (step({"return": 200}, host=["a", None]), "/routes/0/match/host/1"),
    "match name": (step({"return": 200}, hosts="a"), "/routes/0/match/hosts"),
    "no type": (without(app(), "type"), "/applications/a"),
    "type type": (app(type=3), "/applications/a/type"),
    "type": (app(type="cobol"), "/applications/a/type"),
    "type word": (app(type="python three"), "/applications/a/type"),
    "absent language": ({"applications": {"a": {"type": "ruby", "script": "x"}}}, "/applications/a/type"),
    "another's option": (app(root="/x"), "/applications/a/root"),
    "no module": (without(app(), "module"), "/applications/a"),
    "empty module": (app(module=""), "/applications/a/module"),
    "processes": (app(processes=0), "/applications/a/processes"),
    "processes type": (app(processes="1"), "/applications/a/processes"),
    "spare": (app(processes={"spare": -1}), "/applications/a/processes/spare"),
    "idle": (app(processes={"idle_timeout": 2147484}), "/applications/a/processes/idle_timeout"),
    "limits": (app(limits={"time": 1}), "/applications/a/limits/time"),
    "environment": (app(environment={"A": 1}), "/applications/a/environment/A"),
    "user": (app(user=""), "/applications/a/user"),
    "protocol": (app(protocol="fastcgi"), "/applications/a/protocol"),
    "threads": (app(threads=0), "/applications/a/threads"),
    "factory": (app(factory="yes"), "/applications/a/factory"),
    "targets beside": (app(targets={"t": {"module": "hello"}}), "/applications/a/module"),
    "target": (without(app(targets={"t": {}}), "module"), "/applications/a/targets/t"),
    "target option": (without(app(targets={"t": {"module": "m", "root": "/"}}), "module"), "/applications/a/targets/t/root"),
    "timeout": (http(idle_timeout=-1), "/settings/http/idle_timeout"),
    "timeout type": (http(idle_timeout="1"), "/settings/http/idle_timeout"),
    "null": (http(server_version=None), "/settings/http/server_version"),
    "size": (http(max_body_size=0.5), "/settings/http/max_body_size"),
    "mime": (http(static={"mime_types": {"a/b": 1}}), "/settings/http/static/mime_types/a~1b"),
    "log": ({"access_log": ""}, "/access_log"),
    "log path": ({"access_log": {}}, "/access_log"),
    "absent": (listening(**{"pass": "routes", "tls": {"certificate": "x"}}), f"/listeners/{AT}/tls"),
    "absent match": (step({"return": 200}, scheme="https"), "/routes/0/match/scheme"),
    "absent action": (step({"proxy": "http://127.0.0.1:1"}), "/routes/0/action/proxy"),
    "absent group": ({"upstreams": {}}, "/upstreams"),
}


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == CHECKER.META_SCHEMA["$id"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/*.json")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_it_accepts_the_examples(path):
    CHECKER.validate(json.loads(path.read_text()))


def test_it_agrees_with_the_daemon(brood):
    for name, config in GOOD.items():
        answer = brood.put("/config?dry_run", config)
        assert answer.status == 200, f"{name}: {answer.text}"
        assert CHECKER.is_valid(config), f"{name}: {list(CHECKER.iter_errors(config))}"
    for name, (config, path) in BAD.items():
        answer = brood.put("/config?dry_run", config)
        assert (answer.status, answer.json["error"], answer.json["path"]) == (400, "Invalid configuration.", path), f"{name}: {answer.text}"
        assert not CHECKER.is_valid(config), name


def rows(schema):
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ():
        yield value
        yield from rows(value)


def test_every_reference_leads_somewhere_and_absent_options_say_why():
    known = [row for row in rows(SCHEMA) if isinstance(row, dict)]
    assert {row["$ref"] for row in known if "$ref" in row} == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}
    absent = [row for row in known if row.get("not") == {}]
    assert len(absent) > 20 and all(f"this build has no {row['x-absent']}" in row["description"] for row in absent)

"""docs/openapi.json: it has every row of the API's table, and a daemon answers as it says."""

import json
import re

import jsonschema
import pytest

from brood import ROOT, Answer, UnixHTTPConnection, free_port, python_app
from certs import Authority

API = json.loads((ROOT / "docs" / "openapi.json").read_text())
SCHEMA = json.loads((ROOT / "docs" / "schema.json").read_text())
OPERATIONS = [(path, method) for path, item in API["paths"].items() for method in item]

# What stands in for {path} or {name}, and what is sent: somewhere right, somewhere wrong, something broken.
TRIED = {
    "/config": [("", "{}"), ("", "[]"), ("", "{")],
    "/config/{path}": [("listeners", "{}"), ("routes", '{"action": {"return": 200}}'), ("no/where", "1"), ("routes/0/action/return", '"x"')],
    "/history/{name}": [("1", None), ("99999", None), ("x", None)],
    "/history/{name}/apply": [("1", None), ("99999", None)],
    "/status/{path}": [("connections", None), ("connections/nothing", None)],
    "/control/applications/{name}/restart": [("hello", None), ("nobody", None)],
    "/certificates/{path}": [("site", "PEM"), ("site", "no certificate"), ("nobody", None), ("site/chain/0", None)],
}

# What cannot succeed here: the whole configuration is no array, and no change is under way (test_22_slow_start.py).
ELSEWHERE = {("/config", "post"), ("/control/change", "get"), ("/control/change", "delete")}


def follow(node):
    """A local reference's target; the configuration's own schema lies in a file beside it."""
    while "$ref" in node:
        ref = node["$ref"]
        if ref == "schema.json":
            return SCHEMA
        node = API
        for name in ref.removeprefix("#/").split("/"):
            node = node[name]
    return node


def schema_of(response):
    return follow(response["content"]["application/json"]["schema"])


def send(brood, method, path, body, headers):
    c = UnixHTTPConnection(brood.control_path, 30)
    try:
        c.request(method.upper(), path, body, headers)
        return Answer(c.getresponse())
    finally:
        c.close()


@pytest.fixture
def served(brood, tmp_path):
    port = free_port()
    brood.site = Authority(tmp_path / "ca").issue("site.example").pem
    brood.configure({"listeners": {f"127.0.0.1:{port}": {"pass": "applications/hello"}}, "routes": [{"action": {"return": 404}}],
                     "applications": {"hello": python_app("hello")}})
    assert brood.put("/certificates/site", brood.site).status == 200
    return brood


def test_every_row_of_the_table_is_described():
    rows = re.findall(r"^\| `(/[^`]*)` \| ([A-Z]+) \|", (ROOT / "docs" / "api.md").read_text(), re.M)
    assert len(rows) > 10
    described = set()
    for path, method in rows:
        shape = re.sub(r"/\*(?=/|$)", "/{name}", re.sub(r"/\*\*$", "/{path}", path))
        assert method.lower() in API["paths"][shape], (path, method)
        described.add((shape, method.lower()))
    whole = {(path, method) for path, method in OPERATIONS if path + "/{path}" in API["paths"] and (path, method) not in described}
    assert set(OPERATIONS) - whole == described


def test_it_is_an_openapi_description():
    assert API["openapi"] == "3.1.0" and {"title", "version"} <= set(API["info"])
    for path, method in OPERATIONS:
        operation = API["paths"][path][method]
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), path
        assert operation["summary"] and "200" in operation["responses"]
        for response in operation["responses"].values():
            jsonschema.Draft202012Validator.check_schema(schema_of(follow(response)))
        for parameter in operation.get("parameters", []):
            jsonschema.Draft202012Validator.check_schema(parameter["schema"])


def requests(path, method, brood):
    operation = API["paths"][path][method]
    parameters = {(p["in"], p["name"]) for p in operation.get("parameters", [])}
    queries = [""] + (["?dry_run"] if ("query", "dry_run") in parameters else []) + (["?replace"] if ("query", "replace") in parameters else [])
    headers = [{}] + ([{"If-Match": '"nobody has this"'}] if ("header", "If-Match") in parameters else [])
    for value, body in TRIED.get(path, [("", None)]):
        target = re.sub(r"\{\w+\}", value, path)
        if "requestBody" not in operation:
            body = None
        elif body == "PEM":
            body = brood.site
        for query in queries:
            for header in headers:
                yield target + query, body, header


@pytest.mark.parametrize("path, method", OPERATIONS, ids=lambda x: x)
def test_a_daemon_answers_as_described(served, path, method):
    responses = API["paths"][path][method]["responses"]
    seen = set()
    for target, body, headers in requests(path, method, served):
        answer = send(served, method, target, body, headers)
        where = f"{method} {target} {headers}: {answer.status} {answer.text[:300]}"
        assert str(answer.status) in responses, where
        response = follow(responses[str(answer.status)])
        assert answer.fields["content-type"] == "application/json"
        jsonschema.Draft202012Validator(schema_of(response)).validate(answer.json)
        assert ("etag" in answer.fields) == ("ETag" in response.get("headers", {})), where
        seen.add(str(answer.status))
    assert "200" in seen or (path, method) in ELSEWHERE


def test_what_is_not_described_is_not_allowed(served):
    for path, item in API["paths"].items():
        target = re.sub(r"\{\w+\}", TRIED.get(path, [("", None)])[0][0], path)
        for method in {"get", "put", "post", "delete", "patch", "head"} - set(item):
            whole = path == "/certificates" and method in ("put", "delete")
            answer = send(served, method, target, "{}" if method != "head" else None, {})
            assert answer.status == (400 if whole else 405), f"{method} {target}: {answer.text}"

"""Configurations that are nearly right are answered with the place and the reason, and nothing falls.

BROOD_MUTATIONS: how many (300); BROOD_SEED: other ones.
"""

import json
import os
import random
import time
from urllib.parse import quote

import pytest

from api_table import options
from api_table.case import BASE
from brood import ROOT, free_port
from mutations import mutate_text, mutate_tree, places, text, tree, value_at

COUNT = int(os.environ.get("BROOD_MUTATIONS", 300))
SEED = int(os.environ.get("BROOD_SEED", 1))
GROUPS = 10
ANSWER_SECONDS = 10


def with_value(path, value):
    config = json.loads(json.dumps(BASE))
    *above, last = path.strip("/").split("/")
    at = config
    for name in above:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = value
    return config


def accepted_by_the_table():
    for case in options.CASES:
        if case.status == 200 and case.target != "/config" and "?" not in case.target and len(case.body) < 1000:
            yield with_value(case.target[len("/config"):], json.loads(case.body))


def valid_configurations():
    """The examples, and one for each value that the table of options accepts."""
    found = [json.loads(path.read_text()) for path in sorted(ROOT.glob("examples/*/brood.json"))]
    assert len(found) >= 3
    return found + list(accepted_by_the_table())


def without_applications(config):
    """What starts processes is never applied: a number out of range might be in it."""
    config = json.loads(json.dumps(config))
    config.pop("applications", None)
    config["routes"] = {k: v for k, v in config["routes"].items()} if isinstance(config.get("routes"), dict) else {"main": []}
    for listener in config.get("listeners", {}).values():
        listener["pass"] = "routes/main"
    return config


def numbers_as_written(raw):
    return json.loads(raw, parse_float=str, parse_int=str, parse_constant=str)


def request_of(rng, brood, config):
    """(method, target, body, whether it is applied if it is valid)"""
    applied = rng.random() < 0.5
    if applied:
        config = without_applications(config)
    config = json.loads(json.dumps(config).replace("LISTENER", brood.address).replace("DIRECTORY/", ""))
    root = tree(config)
    query = "" if applied else "?dry_run"
    if rng.random() < 0.3:
        return "PUT", "/config" + query, mutate_text(rng, text(root).encode()), applied
    if rng.random() < 0.3:  # only a part of it, into what is there
        path, inside, i = rng.choice(list(places(root)))
        part = ("a", [value_at(inside, i)])
        mutate_tree(rng, part)
        body = text(part[1][0]).encode() if part[1] else b""
        target = "/config/" + "/".join(quote(name, safe="") for name in path)
        return rng.choice(["PUT", "PUT", "POST"]), target + query, body, applied and "/applications" not in target
    mutate_tree(rng, root)
    return "PUT", "/config" + query, text(root).encode(), applied


def check_refusal(answer):
    said = answer.json
    assert said.get("error") and "success" not in said
    if answer.status in (404, 405):
        return
    assert answer.status in (400, 500), answer
    assert said.get("detail"), "a refusal without a reason"
    if answer.status == 400:
        assert "path" in said or "location" in said, f"nobody can find {said}"


def check_accepted(brood, method, target, body, before, answer):
    assert answer.json["success"] in ("Reconfiguration done.", "Valid.")
    if answer.json["success"] == "Valid.":
        assert brood.get().body == before
        return
    if method != "PUT":
        return
    got = brood.get(target)
    assert got.status == 200
    try:
        assert numbers_as_written(got.body) == numbers_as_written(body)
    except json.JSONDecodeError:  # comments and trailing commas are brood's
        assert brood.put(target, got.body).status == 200 and brood.get(target).body == got.body


def name_of(group):
    return f"seed {SEED}, {COUNT // GROUPS} from {group * (COUNT // GROUPS)}"


@pytest.mark.parametrize("group", range(GROUPS), ids=name_of)
def test_what_is_nearly_right_is_answered_with_place_and_reason(brood, group):
    valid = valid_configurations()
    brood.address = f"127.0.0.1:{free_port()}"
    brood.configure({"listeners": {brood.address: {"pass": "routes/main"}}, "routes": {"main": [{"action": {"return": 200}}]}, "applications": {}})
    controllers, routers = brood.pids("brood: controller"), brood.pids("brood: router")
    outcomes = {}
    for n in range(COUNT // GROUPS):
        rng = random.Random(f"{SEED} {group} {n}")
        method, target, body, _ = request_of(rng, brood, rng.choice(valid))
        before = brood.get().body
        began = time.monotonic()
        answer = brood.control(target, method, body)
        took = time.monotonic() - began
        try:
            assert took < ANSWER_SECONDS
            if answer.status == 200:
                check_accepted(brood, method, target, body, before, answer)
            else:
                check_refusal(answer)
                assert brood.get().body == before
        except AssertionError as e:
            raise AssertionError(f"mutation {group}/{n}: {method} {target} {body[:1500]!r}\n{answer.status} {answer.text[:1500]}\n{e}") from e
        outcomes[answer.status] = outcomes.get(answer.status, 0) + 1
    assert brood.pids("brood: controller") == controllers and brood.pids("brood: router") == routers
    assert "[alert]" not in brood.log()
    assert outcomes.get(400, 0) > sum(outcomes.values()) / 3, f"the mutations are too tame: {outcomes}"

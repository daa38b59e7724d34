"""Configurations that are nearly right: valid ones with one to three things changed, always the same for the same seed.

    tree    a value of another kind, a member dropped, doubled or mistyped, a number out of range, a value wrapped or
            buried in arrays, a huge string, a reference to nothing
    text    cut, a byte replaced, a piece repeated or left out

A tree is of ("o", [[name, value], …]), ("a", [value, …]) and ("s", text of a scalar), so that a member can be there
twice and a number stays as it is written.
"""

import json
import sys

sys.setrecursionlimit(20_000)  # for what is buried
HUGE = 100_000
SCALARS = ["null", "true", "false", "0", "-1", "1.5", "1e18", '""', '"x"', '"\\u0000"', "99999999999999"]
NUMBERS = ["-1", "-0.5", "0", "1e2", "2147483647", "2147483648", "4294967296", "9e18", "-9e18", "0.001", "1e-300", "123456789012345"]
BYTES = bytes(set(range(256)) - {ord("/")})  # a slash more, and a log would lie elsewhere


def tree(value):
    if isinstance(value, dict):
        return ("o", [[k, tree(v)] for k, v in value.items()])
    if isinstance(value, list):
        return ("a", [tree(v) for v in value])
    return ("s", json.dumps(value))


def text(node):
    kind, inside = node
    if kind == "o":
        return "{" + ", ".join(f"{json.dumps(k)}: {text(v)}" for k, v in inside) + "}"
    if kind == "a":
        return "[" + ", ".join(map(text, inside)) + "]"
    return inside


def places(node, path=()):
    """(path, container, index) of everything below: container[index] is a member pair or an element."""
    kind, inside = node
    if kind == "s":
        return
    for i, child in enumerate(inside):
        name, value = child if kind == "o" else (str(i), child)
        yield (*path, name), inside, i
        yield from places(value, (*path, name))


def value_at(inside, i):
    return inside[i][1] if isinstance(inside[i], list) else inside[i]


def put(inside, i, value):
    if isinstance(inside[i], list):
        inside[i][1] = value
    else:
        inside[i] = value


def other_kind(random, inside, i):
    put(inside, i, random.choice([("s", random.choice(SCALARS)), ("a", []), ("o", []), ("a", [("s", '"x"')]), ("o", [["x", ("s", "1")]])]))


def drop(_random, inside, i):
    del inside[i]


def double(random, inside, i):
    again = list(inside[i]) if isinstance(inside[i], list) else inside[i]
    inside.insert(random.randrange(len(inside) + 1), again)


def mistype(random, inside, i):
    if not isinstance(inside[i], list) or not inside[i][0]:
        return other_kind(random, inside, i)
    name = inside[i][0]
    k = random.randrange(len(name))
    inside[i][0] = random.choice([name[:k] + name[k + 1:], name[:k] + name[k] + name[k:], name[:k] + random.choice("aeiou_:*") + name[k + 1:],
                                  name[:k] + name[k:][1:2] + name[k] + name[k + 2:]])


def number(random, inside, i):
    put(inside, i, ("s", random.choice(NUMBERS)))


def wrap(random, inside, i):
    value = value_at(inside, i)
    for _ in range(random.choice([1, 1, 2, 50, 125, 130, 1000])):
        value = ("a", [value]) if random.random() < 0.5 else ("o", [["x", value]])
    put(inside, i, value)


def huge(random, inside, i):
    put(inside, i, ("s", json.dumps(random.choice(["x", "$", "~(", "*", "é", "%41", "/.."]) * (HUGE // 2))))


def reference(random, inside, i):
    put(inside, i, ("s", json.dumps(random.choice(["routes/none", "applications/none", "routes", "upstreams/x", "routes/%", "routes/$", "$nothing",
                                                   "applications/hello/target", "routes//", "${", "~[", "a**b", "!~(", "*:0", "unix:"]))))


CHANGES = [other_kind, drop, double, mistype, mistype, number, wrap, huge, reference]


def mutate_tree(random, root):
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        found = list(places(root))
        if found:
            _, inside, i = random.choice(found)
            random.choice(CHANGES)(random, inside, i)


def mutate_text(random, raw):
    k = random.randrange(len(raw))
    kind = random.randrange(5)
    if kind == 0:
        return raw[:k]
    if kind == 1:
        return raw[:k] + bytes([random.choice(BYTES)]) + raw[k + 1:]
    if kind == 2:
        return raw[:k] + bytes([raw[k] ^ 1 << random.randrange(8)]).replace(b"/", b"?") + raw[k + 1:]
    other = min(len(raw), k + random.randrange(1, 30))
    return raw[:other] + raw[k:] if kind == 3 else raw[:k] + raw[other:]

"""A slow reading of HTTP/1.1 requests, written from the rules and not from src/http.

story(bytes) tells what a client that sends these bytes and then closes its sending half must be
answered: a list of statuses; after the last one the connection is closed.  Every request that is
good is answered 200.  Rules: RFC 9112, and the stricter choices listed in docs/http.md.
"""
import re

LINE, HEAD, FIELDS, NAME, METHOD, BODY = 8192, 2048 + 4 * 8192, 1000, 255, 64, 8 << 20
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
PLAIN = re.compile(rb"[0-9A-Za-z\-]+")
HOST = re.compile(
    rb"(?:(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?")
KNOWN = {b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress", b"identity", b"chunked"}


class Refused(Exception):
    """The status; the connection ends."""


class Incomplete(Refused):
    """The client stopped in the middle."""

    def __init__(self):
        super().__init__(400)


def refuse_unless(truth, status=400):
    if not truth:
        raise Refused(status)




def host_ok(host):
    match = HOST.fullmatch(host)
    if not match or (not host.startswith(b"[") and b".." in host):
        return False
    if match[1] is not None and len(match[1]) == len(host):
        return False
    return not host.startswith(b"[") or host[1:host.index(b"]")].count(b":") >= 2


def path_ok(path):
    text, at = bytearray(), 0
    while at < len(path):
        byte = path[at]
        at += 1
        if byte == 0x25:
            digits = path[at:at + 2]
            if not re.fullmatch(rb"[0-9A-Fa-f]{2}", digits):
                return False
            byte, at = int(digits, 16), at + 2
        if byte == 0:
            return False
        text.append(byte)
    depth = 0
    for segment in bytes(text).split(b"/"):
        if segment == b"..":
            depth -= 1
        elif segment not in (b"", b"."):
            depth += 1
        if depth < 0:
            return False
    return True


def read_request_line(data):
    match = re.match(rb"[A-Z_\-]*", data)
    method, at = match[0], match.end()
    if at >= LINE:
        raise Refused(400)
    if at == len(data):
        raise Incomplete
    refuse_unless(data[at:at + 1] == b" " and 0 < len(method) <= METHOD)
    at += 1
    match = re.compile(rb"[\x21-\x7e]*").match(data, at)
    target, at = match[0], match.end()
    refuse_unless(at < LINE, 414)
    if at == len(data):
        raise Incomplete
    refuse_unless(target and data[at:at + 1] == b" ")
    at += 1
    version = data[at:at + 8]
    if len(version) < 8:
        raise Refused(414 if at + 8 > LINE else 400)
    refuse_unless(at + 8 <= LINE, 414)
    refuse_unless(re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version))
    at += 8
    refuse_unless(at < LINE, 414)
    refuse_unless(data[at:at + 1] == b"\r")
    refuse_unless(at + 1 < LINE, 414)
    refuse_unless(data[at + 1:at + 2] == b"\n")
    refuse_unless(version[5:6] == b"1", 505)
    return method, target, int(version[7:8] != b"0"), at + 2


def read_fields(data, at):
    fields, seen = [], 0
    while True:
        start = at
        limit = min(start + LINE, HEAD)
        rest = data[at:limit]
        cut = len(data) > limit
        if rest[:1] == b"\r":
            refuse_unless(rest[1:2] == b"\n", 431 if len(rest) < 2 and cut else 400)
            return fields, at + 2
        refuse_unless(rest[:1] not in (b" ", b"\t"), 400)
        match = re.match(rb"(" + TOKEN + rb")?", rest)
        if match.end() == len(rest):
            raise Refused(431 if cut else 400)
        name = match[0]
        refuse_unless(rest[match.end():match.end() + 1] == b":" and name)
        refuse_unless(len(name) <= NAME and seen < FIELDS, 431)
        seen += 1
        value = re.compile(VALUE).match(rest, match.end() + 1)
        if value.end() == len(rest):
            raise Refused(431 if cut else 400)
        refuse_unless(rest[value.end():value.end() + 1] == b"\r")
        if value.end() + 1 == len(rest):
            raise Refused(431 if cut else 400)
        refuse_unless(rest[value.end() + 1:value.end() + 2] == b"\n")
        if PLAIN.fullmatch(name):
            fields.append((name.lower(), value[0].strip(b" \t")))
        at += value.end() + 2


def judge_coding(value):
    items = [item.strip(b" \t").lower() for item in value.split(b",")]
    refuse_unless(all(re.fullmatch(TOKEN, item) for item in items))
    refuse_unless(all(item in KNOWN for item in items), 501)
    refuse_unless(items[-1] == b"chunked" and items.count(b"chunked") == 1)
    refuse_unless(len(items) == 1, 501)


def read_chunks(data):
    """How many bytes the body takes."""
    at, extra, total = 0, 0, 0
    while True:
        match = re.compile(rb"[0-9A-Fa-f]*").match(data, at)
        digits, at = match[0], match.end()
        refuse_unless(len(digits) <= 15)
        if at == len(data):
            raise Incomplete
        refuse_unless(digits)
        if data[at:at + 1] == b";":
            match = re.compile(rb';(?:[\t\x20\x21\x23-\x7e\x80-\xff]|'
                               rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|'
                               rb'\\[\t\x20-\x7e\x80-\xff])*")*').match(data, at)
            refuse_unless(match.end() < len(data) and match.end() - at <= 1024)
            extra += match.end() - at
            at = match.end()
        refuse_unless(data[at:at + 2] == b"\r\n" and extra <= 16384)
        at += 2
        size = int(digits, 16)
        if size == 0:
            break
        refuse_unless(total + size <= BODY, 413)
        total += size
        refuse_unless(data[at + size:at + size + 2] == b"\r\n")
        at += size + 2
    while data[at:at + 1] != b"\r":
        match = re.compile(TOKEN + rb":" + VALUE + rb"\r\n").match(data, at)
        refuse_unless(match and match.end() - at <= 8192)
        extra += match.end() - at
        refuse_unless(extra <= 16384)
        at = match.end()
    refuse_unless(data[at:at + 2] == b"\r\n")
    return at + 2


def read_request(data):
    """(does the connection stay open, bytes used)"""
    method, target, minor, at = read_request_line(data)
    fields, at = read_fields(data, at)
    authority = None
    if not target.startswith(b"/"):
        match = re.match(rb"(?i:https?)://([^/?#]+)", target)
        refuse_unless(match)
        authority, target = match[1], target[match.end():]
    refuse_unless(path_ok(re.split(rb"[?#]", target)[0]))
    coding, other, length, expect = False, None, None, []
    seen = set()
    host = None
    for name, value in fields:
        if name in (b"host", b"content-length", b"transfer-encoding", b"content-type",
                    b"authorization", b"if-range"):
            refuse_unless(name not in seen)
            seen.add(name)
        if name == b"host":
            host = value
        elif name == b"content-length":
            refuse_unless(re.fullmatch(rb"[0-9]+", value) and int(value) < 2 ** 63)
            length = int(value)
        elif name == b"transfer-encoding":
            judge_coding(value)
            coding = True
        elif name == b"expect":
            expect.append(value.lower())
    refuse_unless(host is not None or minor == 0)
    refuse_unless(host_ok(host or b""))
    refuse_unless(authority is None or host_ok(authority))
    refuse_unless(not coding or (length is None and minor == 1))
    refuse_unless(minor == 0 or all(e == b"100-continue" for e in expect), 417)
    refuse_unless((length or 0) <= BODY, 413)
    if coding:
        at += read_chunks(data[at:])
    elif length:
        if len(data) - at < length:
            raise Incomplete
        at += length
    tokens = {item.strip(b" \t").lower() for name, value in fields if name == b"connection"
              for item in value.split(b",")}
    stays = b"close" not in tokens and (minor == 1 or b"keep-alive" in tokens)
    return stays, at


def story(data):
    answers = []
    while True:
        while data.startswith(b"\r\n"):
            data = data[2:]
        if data in (b"", b"\r"):
            return answers
        try:
            stays, used = read_request(data)
        except Refused as refused:
            return answers + [refused.args[0]]
        answers.append(200)
        if not stays:
            return answers
        data = data[used:]

"""spec/control-api.md, 4: how GET prints, byte by byte.  Each text is put somewhere and read back."""

from .case import Case, DONE


def printed(target, text, lines, name):
    """lines: as they are to be printed, joined by CRLF."""
    return Case("PUT", target, text, 200, DONE, exact="\r\n".join([*lines, ""]).encode(), name=name)


ROUTES = "/config/routes"
TYPES = "/config/settings/http/static/mime_types"
MIME = "/config/settings/http/static/mime_types/text~1x".replace("~1", "%2F")
MANY = [f"route {(i * 7919) % 211}" for i in range(211)]


def string(text, out, name):
    return printed(MIME, text, [out], "string: " + name)


CASES = [
    printed("/config/routes/main/0/action/return", "200", ["200"], "a scalar ends with CRLF"),
    printed("/config/routes/main/0/action/return", "2e2", ["2e2"], "an exponent stays"),
    printed("/config/routes/main/0/action/return", "2E+2", ["2E+2"], "a capital exponent with its sign stays"),
    printed("/config/routes/main/0/action/return", "200.0", ["200.0"], "a fraction of zero stays"),
    printed("/config/routes/main/0/action/return", "20000e-2", ["20000e-2"], "a negative exponent stays"),
    printed("/config/routes/main/0/action/return", "-0", ["-0"], "minus zero stays"),
    printed("/config/routes/main/0/action/return", " /* a */ 201 // b\n", ["201"], "comments are not kept"),
    printed("/config/settings/http/idle_timeout", "0.1250", ["0.1250"], "a fraction stays as written"),
    printed("/config/settings/http/server_version", "false", ["false"], "false"),
    printed("/config/settings/http/server_version", "true", ["true"], "true"),
    printed("/config/routes/main", "[]", ["[]"], "an empty array"),
    printed("/config/settings/http", "{}", ["{}"], "an empty object"),
    printed("/config/settings/http", "{ /* a */ }", ["{}"], "an empty object with a comment"),
    printed("/config/routes/main/0", '{"action":{"return":200}}',
            ["{", '\t"action": {', '\t\t"return": 200', "\t}", "}"], "one member: no blank line"),
    printed("/config/routes/main/0", '{"action":{"return":200},"match":{}}',
            ["{", '\t"action": {', '\t\t"return": 200', "\t},", "", '\t"match": {}', "}"], "blank line behind what holds something"),
    printed("/config/routes/main/0", '{"match":{},"action":{"return":200}}',
            ["{", '\t"match": {},', '\t"action": {', '\t\t"return": 200', "\t}", "}"], "no blank line behind what is empty"),
    printed("/config/routes/main/0", '{"match":{"uri":["/a"],"host":"b"},"action":{"return":200}}',
            ["{", '\t"match": {', '\t\t"uri": [', '\t\t\t"/a"', "\t\t],", "", '\t\t"host": "b"', "\t},", "", '\t"action": {', '\t\t"return": 200',
             "\t}", "}"], "blank line behind an array inside"),
    printed("/config/routes/main", '[{"action":{"return":200}},{"action":{"return":201}}]',
            ["[", "\t{", '\t\t"action": {', '\t\t\t"return": 200', "\t\t}", "\t},", "\t{", '\t\t"action": {', '\t\t\t"return": 201', "\t\t}", "\t}", "]"],
            "no blank lines between elements"),
    printed("/config/routes/files/0/action/share", '["/a","/b","/c"]', ["[", '\t"/a",', '\t"/b",', '\t"/c"', "]"], "strings, one a line"),
    printed("/config/routes/files/0/action", '{"share":["/a"],"index":"i","fallback":{"return":404}}',
            ["{", '\t"share": [', '\t\t"/a"', "\t],", "", '\t"index": "i",', '\t"fallback": {', '\t\t"return": 404', "\t}", "}"],
            "blank line behind an array, none behind a scalar, none behind the last"),
    printed(TYPES, '{"a/b":[],"c/d":"x","e/f":["y"],"g/h":[]}',
            ["{", '\t"a/b": [],', '\t"c/d": "x",', '\t"e/f": [', '\t\t"y"', "\t],", "", '\t"g/h": []', "}"], "an empty array has no blank line"),
    string(r'"\u00e9"', '"é"', "an escaped character comes back as itself"),
    string(r'"\uD834\uDD1E"', '"𝄞"', "a surrogate pair comes back as one character"),
    string(r'"a\/b"', '"a/b"', "a slash is not escaped"),
    string(r'"\"\\"', r'"\"\\"', "quote and backslash"),
    string(r'"\n\r\t\b\f"', r'"\n\r\t\b\f"', "the short escapes"),
    string(r'"\u000a\u000D\u0009\u0008\u000c"', r'"\n\r\t\b\f"', "long forms become the short ones"),
    string(r'"\u0001\u001f\u000b"', r'"\u0001\u001F\u000B"', "others as capital hexadecimal digits"),
    string(r'"x\u0000y"', r'"x\u0000y"', "NUL"),
    string(r'"\u007f<>&\u2028"', '"\x7f<>&\u2028"', "what JSON does not make one escape stays raw"),
    string('"x  y"', '"x  y"', "spaces"),
    printed(ROUTES, '{"main": [], "\\u0061\\n\\"/": []}', ["{", '\t"main": [],', '\t"a\\n\\"/": []', "}"], "names are escaped like strings"),
    printed(ROUTES, '{"main": [], ' + ", ".join(f'"{n}": []' for n in MANY) + "}",
            ["{", '\t"main": [],', *[f'\t"{n}": [],' for n in MANY[:-1]], f'\t"{MANY[-1]}": []', "}"], "order of 212 members"),
]

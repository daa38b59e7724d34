"""spec/control-api.md, 3: which texts are JSON here, and where the fault is in those that are not.

Refused ones are put where nothing is: that they are no JSON comes before that the path is missing.  Accepted
ones are put there too, and answered 404.
"""

from .case import BAD_JSON, Case, MISSING

HERE = "/config/not/there"


def refused(text, *says, name=None, place=None):
    return Case("PUT", HERE, text, 400, BAD_JSON, says=list(says), place=place, name=f"refused {name or repr(text)[:60]}")


def accepted(text, name=None):
    return Case("PUT", HERE, text, 404, MISSING, name=f"accepted {name or repr(text)[:60]}")


CASES = [
    # the top: any value, nothing but space and comments behind it
    *[accepted(t) for t in ("true", "false", "null", "0", "-0", '""', "[]", "{}", " 1", "\t1\r\n ", "[ ]", "{ }")],
    *[refused(t) for t in (
        "¦", " ¦", "¦tru", "¦True", "¦NULL", "¦nul ", "¦undefined", "¦NaN", "¦Infinity", "¦'x'", "1 ¦2", "{}¦{}", "[]¦]", "{}¦}", "1¦,",
        "¦=1", "¦\f1", "¦\v1", "¦\u00a01", "{} ¦;", "true¦x",
    )],
    refused(b"1\0", name="NUL behind", place=(1, 1, 2)),
    # encoding
    accepted(b"\xef\xbb\xbf{}", "byte-order mark"),
    refused(b"\xef\xbb\xbf[x", name="offsets begin after the byte-order mark", place=(1, 1, 2)),
    refused(b"\xef\xbb\xbf\xef\xbb\xbf1", name="two byte-order marks", place=(0, 1, 1)),
    refused(b"\xef\xbb\xbf", name="byte-order mark alone", place=(0, 1, 1)),
    refused(b"\xff\xfe1\0", name="UTF-16", place=(0, 1, 1)),
    refused(b'["\xff"]', name="byte that is no UTF-8", place=(2, 1, 3)),
    refused(b'["\xc0\xaf"]', name="overlong", place=(2, 1, 3)),
    refused(b'["\xed\xa0\x80"]', name="surrogate in UTF-8", place=(2, 1, 3)),
    refused(b'["\xe2\x82"]', name="cut character", place=(2, 1, 3)),
    refused(b'["\xf4\x90\x80\x80"]', name="above U+10FFFF", place=(2, 1, 3)),
    refused(b"// \xff\n1", name="no UTF-8 in a comment", place=(3, 1, 4)),
    refused(b'"a",\n\xff', name="first fault first", place=(3, 1, 4)),
    refused('{"é€𝄞": ¦x}', name="columns are characters, offsets bytes"),
    refused('["é",\n "ü", ¦x]', name="column in the second line"),
    # comments
    *[accepted(t) for t in (
        "// a\n1", "1 // a\n", "1 // a", "//\n1", "/* a */1", "1/* a */", "/**/1", "/***/1", "/* * / */1", "[1, // a\n 2]", "[/* a */]",
        "{/* a */}", '{"a" /* b */ : /* c */ 1 /* d */ }', "[1, /* a */]", "1/* a // b */", "// /*\n1", "/* a\nb */1", "//\r\n1",
    )],
    *[refused(t) for t in (
        "¦/* a", "1 ¦/* a", "[1,\n ¦/* a]", "/* a */¦", "// a¦", "¦/1", "1 ¦/", "¦# a\n1", "-¦- a\n1", "/* /* */ ¦*/ 1", "¦<!-- -->1", "1 ¦*/",
        "¦/*/", "¦t/**/rue",
    )],
    # containers, trailing commas
    *[accepted(t) for t in ("[1,]", "[1 , ]", '{"a": 1,}', '{"a": 1 , }', "[[1,],]", '{"a": [1,],}', '[{"a": 1,},]')],
    *[refused(t) for t in (
        "[¦,]", "{¦,}", "[1,¦,2]", "[1,¦,]", '{"a": 1,¦,}', "[¦,1]", '{¦,"a": 1}', "[1¦", "[1 ¦", "[1,¦", "{¦", '{"a"¦', '{"a":¦', '{"a": 1¦',
        '{"a": 1,¦', "[1 ¦2]", '{"a" ¦1}', '{"a": 1 ¦"b": 2}', "[1¦}", '{"a": 1¦]', "{¦1: 2}", "{¦a: 1}", "{¦'a': 1}", '{"a"¦}', '{"a":¦}',
        '{"a"¦= 1}', "[1¦; 2]", "[1¦:2]", '{"a":¦:1}', "¦]", "¦}", '{¦null: 1}', '{"a": 1, ¦"a": 2}', '{"a": 1, "b": 2, ¦"\\u0061": 3}',
        '{"": 1, ¦"": 2}', '[{"a": {"b": 1, ¦"b": 1}}]', '{"a": 1,\n "b": 2,\n ¦"a": 3}',
    )],
    accepted('{"a": {"b": 1}, "b": {"b": 1}}', "the same name in two objects"),
    accepted('{"a": 1, "A": 2}', "names differ by case"),
    refused("{" + ", ".join(f'"m{i}": {i}' for i in range(500)) + ', ¦"m7": 0}', name="twice in a large object"),
    # nesting
    accepted("[" * 128 + "]" * 128, "128 arrays"),
    refused("[" * 128 + "¦[" + "]" * 129, "nest", name="129 arrays"),
    accepted('{"a":' * 128 + "1" + "}" * 128, "128 objects"),
    refused('{"a":' * 128 + "¦{" + "}" * 129, "nest", name="129 objects"),
    refused("[" * 128 + "¦" + "[" * 100000, "nest", name="100,000 arrays"),
    # strings
    *[accepted(t) for t in (
        r'"\" \\ \/ \b \f \n \r \t"', r'"\u0000"', r'"\u00e9"', r'"\uD834\uDD1E"', r'"\uABCD\uabcd"', '"é€𝄞"', '"\x7f"', r'"\\"', '"// /* "',
    )],
    *[refused(t) for t in (
        '["¦\t"]', '["a¦\n"]', '["¦\x1f"]', r'["¦\a"]', r'["¦\v"]', r'''["¦\'"]''', r'["¦\0"]', r'["¦\x41"]', r'["¦\U0041"]', r'["\u12¦"]',
        r'["\u12¦g4"]', r'["\u¦+123"]', r'["¦\ud834"]', r'["¦\ud834x"]', r'["¦\ud834\n"]', r'["¦\udd1e"]', r'["¦\ud834\ud834"]',
        r'["a¦\udd1e\ud834"]',
    )],
    *[refused(t, name=f"open string {t!r}") for t in ('["¦', '["a¦', r'["a\"¦')],
    # numbers
    *[accepted(t) for t in (
        "12345678901234", "-1234567890123", "1.0", "1e2", "1E2", "1e+2", "1e-2", "0.5", "-0.0", "0e99", "9e18", "-9e18", "1.000000000000", "0.00000000001",
        "1e-9999999",
    )],
    *[refused(t) for t in (
        "¦123456789012345", "¦-12345678901234", "¦1.0000000000000", "¦01", "-¦01", "¦00", "-¦00", "¦+1", "¦.5", "1.¦", "1.¦e1", "-¦", "-¦.5", "-¦-1",
        "1e¦", "1e+¦", "1e1¦.5", "1e1¦e1", "0¦x10", "1¦_000", "¦1e19", "¦-1e19", "¦1e999", "¦9.3e18", "[1, ¦01]", "-¦ 1", "¦١",
    )],
]

#!/usr/bin/env python3
"""The JSON corpus: one file a rule.

    y_*.json  accepted            n_*.json  refused            d_*.json  accepted by the dialect only

Written from the clauses of RFC 8259 and, for the dialect and its limits, from the list at the top
of src/conf/json.h.  The table below is the source; the files next to it are what it writes:

    cases.py          write the files
    cases.py --check  fail unless the files are exactly what would be written
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent

# RFC 8259, 3: a value is false, null, true, an object, an array, a number or a string.
VALUES = {
    "y_value_true": "true",
    "y_value_false": "false",
    "y_value_null": "null",
    "y_value_object": "{}",
    "y_value_array": "[]",
    "y_value_number": "7",
    "y_value_string": '"x"',
    "n_value_none": "",
    "n_value_only_space": " \n",
    "n_value_capital_true": "True",
    "n_value_capital_null": "NULL",
    "n_value_cut_true": "tru",
    "n_value_cut_null": "nul",
    "n_value_cut_false": "fals",
    "n_value_word_goes_on": "truex",
    "n_value_undefined": "undefined",
    "n_value_nan": "NaN",
    "n_value_infinity": "Infinity",
    "n_value_minus_infinity": "-Infinity",
    "n_value_bare_word": "abc",
    "n_value_two": "1 2",
    "n_value_two_objects": "{}{}",
    "n_value_comma_behind": "1,",
    "n_value_bracket_behind": "[]]",
    "n_value_brace_behind": "{}}",
    "n_value_single_quotes": "'x'",
    "n_value_backticks": "`x`",
    "n_value_parentheses": "(1)",
    "n_value_equals": "=1",
    "n_value_semicolon_behind": "{};",
    "n_value_nul_behind": b"1\x00",
    "n_value_nul_alone": b"\x00",
}

# RFC 8259, 2: white space is space, tab, line feed, carriage return; before and after any token.
SPACE = {
    "y_space_before": " \t\r\n1",
    "y_space_after": "1 \t\r\n",
    "y_space_between": ' { "a" : [ 1 , 2 ] , "b" : { } } ',
    "y_space_in_empty_array": "[ \n ]",
    "y_space_in_empty_object": "{\t\r\n}",
    "n_space_form_feed": "\f1",
    "n_space_vertical_tab": "[\v1]",
    "n_space_backspace": "[1\b]",
    "n_space_no_break": b"\xc2\xa01",
    "n_space_line_separator": b"[1,\xe2\x80\xa81]",
    "n_space_bom_inside": b"[\xef\xbb\xbf1]",
    "n_space_bom_at_end": b"1\xef\xbb\xbf",
    "n_space_nul": b"[\x00]",
}

# RFC 8259, 4: objects.
OBJECTS = {
    "y_object_one": '{"a":1}',
    "y_object_two": '{"a":1,"b":2}',
    "y_object_empty_name": '{"":0}',
    "y_object_nested": '{"a":{"b":{"c":{}}}}',
    "y_object_name_escaped": r'{"\u0061\n":1}',
    "y_object_name_utf8": '{"ключ":1}',
    "y_object_names_differ_by_case": '{"a":1,"A":2}',
    "y_object_same_name_in_two_objects": '{"a":{"x":1},"b":{"x":1}}',
    "y_object_many": "{" + ",".join('"k%d":%d' % (i, i) for i in range(40)) + "}",
    "n_object_open": "{",
    "n_object_open_after_name": '{"a"',
    "n_object_open_after_colon": '{"a":',
    "n_object_open_after_value": '{"a":1',
    "n_object_open_after_comma": '{"a":1,',
    "n_object_comma_only": "{,}",
    "n_object_comma_first": '{,"a":1}',
    "n_object_comma_twice": '{"a":1,,"b":2}',
    "n_object_comma_twice_at_end": '{"a":1,,}',
    "n_object_comma_missing": '{"a":1 "b":2}',
    "n_object_colon_missing": '{"a" 1}',
    "n_object_colon_twice": '{"a"::1}',
    "n_object_equals_for_colon": '{"a"=1}',
    "n_object_comma_for_colon": '{"a",1}',
    "n_object_value_missing": '{"a":}',
    "n_object_value_missing_comma": '{"a":,"b":1}',
    "n_object_name_missing": "{:1}",
    "n_object_name_only": '{"a"}',
    "n_object_name_number": "{1:1}",
    "n_object_name_bare": "{a:1}",
    "n_object_name_null": "{null:1}",
    "n_object_name_single_quotes": "{'a':1}",
    "n_object_name_array": "{[]:1}",
    "n_object_closed_as_array": '{"a":1]',
    "n_object_value_without_name": "{1}",
    # RFC 8259, 4: names SHOULD be unique; here they must.
    "n_object_twice": '{"a":1,"a":1}',
    "n_object_twice_by_escape": r'{"a":1,"\u0061":2}',
    "n_object_twice_far": "{" + ",".join('"k%d":0' % i for i in range(20)) + ',"k3":0}',
    "n_object_twice_at_nine": "{" + ",".join('"k%d":0' % i for i in range(8)) + ',"k7":0}',
    "n_object_twice_empty": '{"":1,"":2}',
    "n_object_twice_inside": '[{"x":{"a":1,"b":2,"a":3}}]',
}

# RFC 8259, 5: arrays.
ARRAYS = {
    "y_array_one": "[1]",
    "y_array_mixed": '[null,true,1,"x",[],{}]',
    "y_array_nested": "[[[[]]]]",
    "n_array_open": "[",
    "n_array_open_after_value": "[1",
    "n_array_open_after_comma": "[1,",
    "n_array_open_nested": "[[1]",
    "n_array_comma_only": "[,]",
    "n_array_comma_first": "[,1]",
    "n_array_comma_twice": "[1,,2]",
    "n_array_comma_twice_at_end": "[1,,]",
    "n_array_comma_missing": "[1 2]",
    "n_array_comma_missing_strings": '["a" "b"]',
    "n_array_colon": '["a":1]',
    "n_array_closed_as_object": "[1}",
    "n_array_closing_only": "]",
    "n_array_semicolon": "[1;2]",
    "n_array_star": "[*]",
}

# RFC 8259, 6: number = [ minus ] int [ frac ] [ exp ].
NUMBERS = {
    "y_number_zero": "0",
    "y_number_minus_zero": "-0",
    "y_number_minus": "-12",
    "y_number_fraction": "1.5",
    "y_number_fraction_zeros": "1.000",
    "y_number_zero_fraction": "0.1",
    "y_number_minus_zero_fraction": "-0.0",
    "y_number_exponent": "1e2",
    "y_number_exponent_capital": "1E2",
    "y_number_exponent_plus": "1e+2",
    "y_number_exponent_minus": "1e-2",
    "y_number_exponent_zeros": "1e002",
    "y_number_exponent_of_zero": "0e1",
    "y_number_exponent_of_zero_huge": "0e99999999",
    "y_number_exponent_tiny": "1e-99999999",
    "y_number_all_parts": "-1.5e+3",
    "n_number_plus": "+1",
    "n_number_leading_zero": "01",
    "n_number_minus_leading_zero": "-01",
    "n_number_two_zeros": "00",
    "n_number_minus_only": "-",
    "n_number_minus_twice": "--1",
    "n_number_minus_space": "- 1",
    "n_number_minus_word": "-x",
    "n_number_minus_in_array": "[-]",
    "n_number_point_first": ".5",
    "n_number_minus_point": "-.5",
    "n_number_point_last": "1.",
    "n_number_point_then_exponent": "1.e2",
    "n_number_two_points": "1.2.3",
    "n_number_exponent_empty": "1e",
    "n_number_exponent_sign_only": "1e+",
    "n_number_exponent_two_signs": "1e+-2",
    "n_number_exponent_fraction": "1e2.5",
    "n_number_exponent_twice": "1e2e3",
    "n_number_exponent_only": "e5",
    "n_number_hex": "0x1F",
    "n_number_octal": "0o17",
    "n_number_underscore": "1_000",
    "n_number_comma_decimal": "[1,5e]",
    "n_number_letter_behind": "1a",
    "n_number_full_width_digit": "１",
    "n_number_arabic_digit": "[١]",
}

# RFC 8259, 7: strings.
STRINGS = {
    "y_string_empty": '""',
    "y_string_escapes": r'"\" \\ \/ \b \f \n \r \t"',
    "y_string_unicode": r'"\u0041\u00e9\u20AC"',
    "y_string_unicode_cases": r'"\uABCD\uabcd"',
    "y_string_unicode_nul": r'"\u0000"',
    "y_string_unicode_control": r'"\u001F"',
    "y_string_surrogates": r'"\uD834\uDD1E"',
    "y_string_surrogates_lowest": r'"\uD800\uDC00"',
    "y_string_surrogates_highest": r'"\uDBFF\uDFFF"',
    "y_string_around_surrogates": r'"\uD7FF\uE000"',
    "y_string_noncharacter": r'"\uFFFF"',
    "y_string_delete": '"\x7f"',
    "y_string_utf8": '"é € 𝄞"',
    "y_string_utf8_edges": b'"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"',
    "y_string_line_separator": b'"\xe2\x80\xa8\xe2\x80\xa9"',
    "y_string_bom_inside": b'"\xef\xbb\xbf"',
    "y_string_backslash_at_end": r'"a\\"',
    "y_string_comment_inside": '"// no /* comment */"',
    "y_string_slash": '"/"',
    "n_string_open": '"',
    "n_string_open_text": '"abc',
    "n_string_open_backslash": '"\\',
    "n_string_open_escaped_quote": r'"\"',
    "n_string_open_unicode": r'"\u00',
    "n_string_newline": '"a\nb"',
    "n_string_tab": '"a\tb"',
    "n_string_nul": b'"a\x00b"',
    "n_string_control_1f": b'"\x1f"',
    "n_string_escape_unknown": r'"\x41"',
    "n_string_escape_single_quote": "\"\\'\"",
    "n_string_escape_zero": r'"\0"',
    "n_string_escape_a": r'"\a"',
    "n_string_escape_v": r'"\v"',
    "n_string_escape_capital_u": r'"\U0041"',
    "n_string_escape_newline": '"\\\n"',
    "n_string_escape_utf8": b'"\\\xc3\xa9"',
    "n_string_unicode_short": r'"\u004"',
    "n_string_unicode_no_hex": r'"\u00G0"',
    "n_string_unicode_brace": r'"\u{41}"',
    "n_string_unicode_sign": r'"\u+041"',
    "n_string_high_alone": r'"\uD834"',
    "n_string_high_then_text": r'"\uD834x"',
    "n_string_high_then_escape": r'"\uD834\n"',
    "n_string_high_then_high": r'"\uD834\uD834"',
    "n_string_high_then_letter": r'"\uD834\u0041"',
    "n_string_high_at_end": r'"\uD834\u',
    "n_string_low_alone": r'"\uDD1E"',
    "n_string_low_then_high": r'"\uDD1E\uD834"',
    "n_string_behind": '"a"b',
    "n_string_two": '"a""b"',
}

# RFC 8259, 8.1 and RFC 3629, 3 and 4: UTF-8, and nothing that is not.
UTF8 = {
    "n_utf8_lone_tail": b'"\x80"',
    "n_utf8_two_tails": b'"\xbf\xbf"',
    "n_utf8_cut_two": b'"\xc3"',
    "n_utf8_cut_three": b'"\xe2\x82"',
    "n_utf8_cut_four": b'"\xf0\x9d\x84"',
    "n_utf8_cut_at_end": b'"\xf0\x9d',
    "n_utf8_overlong_slash": b'"\xc0\xaf"',
    "n_utf8_overlong_nul": b'"\xc0\x80"',
    "n_utf8_overlong_c1": b'"\xc1\xbf"',
    "n_utf8_overlong_three": b'"\xe0\x9f\xbf"',
    "n_utf8_overlong_four": b'"\xf0\x8f\xbf\xbf"',
    "n_utf8_surrogate_high": b'"\xed\xa0\x80"',
    "n_utf8_surrogate_low": b'"\xed\xbf\xbf"',
    "n_utf8_surrogate_pair": b'"\xed\xa0\xb4\xed\xb4\x9e"',
    "n_utf8_above_10ffff": b'"\xf4\x90\x80\x80"',
    "n_utf8_f5": b'"\xf5\x80\x80\x80"',
    "n_utf8_five_bytes": b'"\xf8\x88\x80\x80\x80"',
    "n_utf8_fe": b'"\xfe"',
    "n_utf8_ff": b'"\xff"',
    "n_utf8_latin1": b'"caf\xe9"',
    "n_utf8_in_name": b'{"\xff":1}',
    "n_utf8_outside": b"[\xff]",
    "n_utf8_in_line_comment": b"// \xff\n1",
    "n_utf8_in_block_comment": b"/* \xc3 */1",
    "n_utf16_le": "[1]".encode("utf-16-le"),
    "n_utf16_le_bom": "[1]".encode("utf-16"),
    "n_utf16_be": "[1]".encode("utf-16-be"),
}

# What the dialect adds: comments, one trailing comma, a byte-order mark at the very beginning.
DIALECT = {
    "d_bom": b"\xef\xbb\xbf{}",
    "d_bom_space": b"\xef\xbb\xbf \n1",
    "d_comma_array": "[1,]",
    "d_comma_array_space": "[1 , ]",
    "d_comma_object": '{"a":1,}',
    "d_comma_nested": '{"a":[{"b":[1,],},],}',
    "d_line_comment_before": "// x\n1",
    "d_line_comment_after": "1 // x\n",
    "d_line_comment_at_end": "1 // x",
    "d_line_comment_empty": "//\n1",
    "d_line_comment_crlf": "// x\r\n1",
    "d_line_comment_utf8": "// ключ\n1",
    "d_block_comment_before": "/* x */1",
    "d_block_comment_after": "1/* x */",
    "d_block_comment_empty": "/**/1",
    "d_block_comment_stars": "/***/1/****/",
    "d_block_comment_lines": "/* x\n * y\n */1",
    "d_block_comment_slashes": "/* // /* */1",
    "d_block_comment_quotes": '/* "\' */1',
    "d_comments_everywhere": '/*1*/{/*2*/"a"/*3*/:/*4*/[/*5*/1/*6*/,/*7*/2/*8*/]/*9*/,/*10*/}/*11*/',
    "d_comment_after_comma": "[1, // last\n]",
    "d_comment_in_empty_array": "[/* nothing */]",
    "d_comment_in_empty_object": "{// nothing\n}",
    "n_bom_only": b"\xef\xbb\xbf",
    "n_bom_twice": b"\xef\xbb\xbf\xef\xbb\xbf1",
    "n_bom_cut": b"\xef\xbb1",
    "n_bom_utf16": b"\xfe\xff[]",
    "n_comma_array_alone": "[ , ]",
    "n_comma_object_after_colon": '{"a":,}',
    "n_comment_only": "// x\n",
    "n_comment_block_only": "/* x */",
    "n_comment_block_open": "1 /* x",
    "n_comment_block_open_star": "1 /* x *",
    "n_comment_block_overlap": "/*/1",
    "n_comment_block_nested": "/* /* */ */1",
    "n_comment_slash_alone": "/1",
    "n_comment_slash_at_end": "1/",
    "n_comment_hash": "# x\n1",
    "n_comment_dashes": "-- x\n1",
    "n_comment_html": "<!-- x -->1",
    "n_comment_in_word": "tr/**/ue",
    "n_comment_in_number": "1/**/2",
    "n_comment_end_alone": "*/1",
    "n_comment_hides_value": "[1, // 2]",
}

# Limits: 128 containers inside each other, 14 characters of a number, 2^63.
LIMITS = {
    "y_depth_128_arrays": "[" * 128 + "]" * 128,
    "y_depth_128_objects": '{"a":' * 127 + "{}" + "}" * 127,
    "n_depth_129_arrays": "[" * 129 + "]" * 129,
    "n_depth_129_objects": '{"a":' * 128 + "{}" + "}" * 128,
    "n_depth_100000": "[" * 100000,
    "n_depth_100000_objects": '{"a":' * 100000,
    "y_depth_wide": "[" + ",".join(["[]"] * 500) + "]",
    "y_number_14_characters": "12345678901234",
    "y_number_14_with_minus": "-1234567890123",
    "n_number_15_characters": "123456789012345",
    "n_number_15_with_minus": "-12345678901234",
    "n_number_15_fraction": "0.1234567890123",
    "y_number_below_2_63": "9.22337203e18",
    "n_number_above_2_63": "9.223372037e18",
    "y_number_minus_below_2_63": "-9.2233720e18",
    "n_number_minus_above_2_63": "-9.22337204e18",
    "n_number_1e19": "1e19",
    "n_number_1e99999999": "1e99999999",
    "n_number_1e999999999999": "1e999999999999",
    "y_number_9e18": "9e18",
    "y_number_long_zeros": "1.000000000000",
}

TABLES = [VALUES, SPACE, OBJECTS, ARRAYS, NUMBERS, STRINGS, UTF8, DIALECT, LIMITS]


def cases():
    for table in TABLES:
        for name, text in table.items():
            yield name + ".json", text if isinstance(text, bytes) else text.encode()


def write():
    wanted = dict(cases())
    for old in HERE.glob("*.json"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (HERE / name).write_bytes(text)
    print(len(wanted), "files")


def check():
    wanted = dict(cases())
    there = {path.name: path.read_bytes() for path in HERE.glob("*.json")}
    assert sum(map(len, TABLES)) == len(wanted), "a name stands in two tables"
    for name in sorted(wanted.keys() | there.keys()):
        if wanted.get(name) != there.get(name):
            sys.exit(f"{name} is not what cases.py would write")


if __name__ == "__main__":
    check() if sys.argv[1:] == ["--check"] else write()

/*
 * migrate_python_test.c - what a Python file assigns, as far as one may know without running it.
 */
#include "programs/migrate_python.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/json_write.h"

/* All statements as "NAME=json", "NAME?" (not evaluated), "NAME()" or "NAME!", one a line. */
static void
reads(const char *text, const char *wanted)
{
    struct python_line *line = NULL;
    struct arena a;
    struct buf b;

    arena_init(&a, 0);
    buf_init(&b, 1 << 20);
    assert_int_equal(python_parse(&a, "test.py", slice_cstr(text), &line), CTL_OK);
    for (; line != NULL; line = line->next) {
        static const char marks[] = {'=', '?', '(', '!'};

        buf_printf(&b, SLICE_FMT "%c", SLICE_ARG(line->name), marks[line->kind]);
        if (line->kind == PYTHON_VALUE)
            json_write_compact(&b, line->value);
        buf_printf(&b, "@%u ", line->line);
    }
    buf_putc(&b, '\0');
    assert_string_equal(b.p, wanted);
    buf_done(&b);
    arena_done(&a);
}

static void
literals_are_values(void **state)
{
    (void)state;
    reads("a = 1\nb=1_000\nc = 2.5\nd = True\ne = None\n",
          "a=1@1 b=1000@2 c=2.5@3 d=true@4 e=null@5 ");
    reads("a = 'x' \"y\"\nb = r'\\d'\nc = '\\x41\\n'\nd = ''\ne = b'z'",
          "a=\"xy\"@1 b=\"\\\\d\"@2 "
          "c=\"A\\n\"@3 d=\"\"@4 e=\"z\"@5 ");
    reads("a = ('x')\nb = ('x',)\nc = 1, 2\nd = []\ne = {'k': [1]}",
          "a=\"x\"@1 b=[\"x\"]@2 c=[1,2]@3 d=[]@4 e={\"k\":[1]}@5 ");
    reads("a = '''one\n# two'''\nb = 1", "a=\"one\\n# two\"@1 b=1@3 ");
}

static void
sums_and_earlier_names_are_values(void **state)
{
    (void)state;
    reads("a = 60 * 2 + 1\nb = a - 1\nc = 'h' + ':' + 'p'", "a=121@1 b=120@2 c=\"h:p\"@3 ");
    reads("a: int = 4\nb = 9223372036854775807 * 2", "a=4@1 b?@2 ");
}

static void
what_only_python_can_tell_is_not_evaluated(void **state)
{
    (void)state;
    reads("a = f(1)\nb = f'x{a}'\nc = x.y\nd = a if b else c\ne = 0x10\nf = '\\q'",
          "a?@1 b?@2 c?@3 d?@4 e?@5 f?@6 ");
    reads("if a:\n    b = 1\nelse:\n    b = 2\nc += 1\nrun()", "if!@1 c!@5 run!@6 ");
    reads("a = 1\nif x:\n    a = 2\n", "a=1@1 if!@2 ");
}

static void
lines_go_on_in_brackets_and_behind_a_backslash(void **state)
{
    (void)state;
    reads("a = [1, # ]\n  2]\nb = 1 + \\\n  2\nc = 3", "a=[1,2]@1 b=3@3 c=3@5 ");
    reads("import x\nfrom y import (\n z)\n@d\ndef hook(a,\n b=1):\n    c = 2\nasync def more():\n "
          "   pass\n",
          "hook(@5 more(@8 ");
    reads("'a text\\\n that documents'\n\n# a comment\r\n\ta = 1\r\nb = 2\r\n", "b=2@6 ");
}

static void
refuses(const char *text)
{
    struct python_line *line = NULL;
    struct arena a;

    arena_init(&a, 0);
    assert_int_equal(python_parse(&a, "test.py", slice_cstr(text), &line), CTL_REFUSED);
    arena_done(&a);
}

static void
what_does_not_end_is_refused(void **state)
{
    (void)state;
    refuses("a = 'x\n'");
    refuses("a = '''x\n'");
    refuses("a = [\n'x',\n");
    refuses("a = 'x\\");
}

static void
nesting_has_a_limit(void **state)
{
    char text[4096];
    size_t n = 0;

    (void)state;
    text[n++] = 'a';
    text[n++] = '=';
    while (n < 1000)
        text[n++] = '[';
    while (n < 1998)
        text[n++] = ']';
    text[n] = '\0';
    reads(text, "a?@1 ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_values),
        cmocka_unit_test(sums_and_earlier_names_are_values),
        cmocka_unit_test(what_only_python_can_tell_is_not_evaluated),
        cmocka_unit_test(lines_go_on_in_brackets_and_behind_a_backslash),
        cmocka_unit_test(what_does_not_end_is_refused),
        cmocka_unit_test(nesting_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * checks_routers.c - what the types of `settings/router` cannot say.
 */
#include "conf/checks.h"

#include <signal.h>
#include <string.h>

#include "conf/cpus.h"

#define AFFINITY_LISTS_MAX 16  /* as many as there can be routers */
#define AFFINITY_WORDS     4   /* of a mask of 256 processors */
#define DIRECTORY_MAX      511 /* bytes, as main is told */
#define GROUPS_MAX         255 /* likewise */

static int
check_list(struct check *c, const struct json *value)
{
    uint64_t mask[AFFINITY_WORDS] = {0};

    if (cpus_parse(value->text, mask, AFFINITY_WORDS) == 0)
        return 0;
    return check_refuse(c, value,
                        "The value of %s must be \"auto\" or lists of processors such as "
                        "\"0-3,6\", below %d, not %s.",
                        check_subject(c), 64 * AFFINITY_WORDS, check_quote(c, value->text));
}

int
check_affinity(struct check *c, const struct json *value)
{
    int rc = 0;

    if (value->type == JSON_STRING)
        return slice_eq(value->text, SLICE("auto")) ? 0 : check_list(c, value);
    if (value->n == 0 || value->n > AFFINITY_LISTS_MAX)
        return check_refuse(c, value, "The value of %s must have 1 to %d lists.", check_subject(c),
                            AFFINITY_LISTS_MAX);
    json_foreach(list, value)
    {
        rc = check_list(c, list);
        if (rc < 0)
            break;
    }
    return rc;
}

static int
name(struct check *c, const struct json *value)
{
    int rc = check_text(c, value);

    if (rc == 0 && value->text.n == 0)
        rc = check_refuse(c, value, "The value of %s must not be empty.", check_subject(c));
    return rc;
}

int
check_names(struct check *c, const struct json *value)
{
    if (value->type == JSON_ARRAY && value->n > GROUPS_MAX)
        return check_refuse(c, value, "The value of %s must have %d names at most.",
                            check_subject(c), GROUPS_MAX);
    return check_each(c, value, name);
}

static int
signal_name(struct check *c, const struct json *value)
{
    for (int number = 1; number < NSIG; number++) {
        const char *word = sigabbrev_np(number);

        if (word != NULL && slice_eq(value->text, slice_cstr(word)) && number != SIGKILL &&
            number != SIGSTOP)
            return 0;
    }
    return check_refuse(c, value,
                        "The value of %s must be a signal that can be blocked, such as "
                        "\"HUP\", not %s.",
                        check_subject(c), check_quote(c, value->text));
}

int
check_signals(struct check *c, const struct json *value)
{
    return check_each(c, value, signal_name);
}

int
check_directory(struct check *c, const struct json *value)
{
    if (value->text.n > DIRECTORY_MAX)
        return check_refuse(c, value, "The value of %s must not be longer than %d bytes.",
                            check_subject(c), DIRECTORY_MAX);
    return check_absolute(c, value);
}

/*
 * checks.h - what the type of an option cannot say: the functions that options.def names.
 *
 * Each looks at one value, in a validation that stands at it (validate.c keeps where that is).
 */
#ifndef CONF_CHECKS_H
#define CONF_CHECKS_H

#include "base/map.h"
#include "conf/validate.h"

/* A step on the way from the root to the value under check; on the stack of validate.c. */
struct check_frame {
    const struct check_frame *up;
    struct slice name; /* of a member */
    size_t index;      /* of an element: name.p is NULL */
};

struct check {
    struct arena *arena; /* scratch, without a cap */
    const struct conf_modules *modules;
    struct conf_fault *fault;
    struct conf_faults *faults;      /* NULL: the first fault ends it */
    const struct check_frame *at;    /* NULL: the root */
    struct slice language;           /* of the application that is being looked at */
    const struct json *app_object;   /* what is there under that name, or NULL */
    const struct json *route_object; /* likewise */
    struct map apps;                 /* name -> struct json * */
    struct map routes;               /* of an object of routes, likewise */
    bool route_array;                /* routes is an array */
};

/* Note the fault: where the validation stands, at value's place in the text.  Returns -EBADMSG. */
int check_refuse(struct check *c, const struct json *value, const char *fmt, ...) br_printf(3, 4);

/* The same of a member's name. */
int check_refuse_name(struct check *c, const struct json *member, const char *fmt, ...)
    br_printf(3, 4);

/* The same of one member of the object where the validation stands, because of the others. */
int check_refuse_member(struct check *c, const struct json *member, const char *fmt, ...)
    br_printf(3, 4);

/* A check of one string, of which an option may have several. */
typedef int text_check_fn(struct check *c, const struct json *text);
/* The string, or each string of the array; the validation stands at the one that is looked at. */
int check_each(struct check *c, const struct json *value, text_check_fn *check);

/* What the fault is about, for the sentence: "pass", or: element 2 of "share". */
const char *check_subject(struct check *c);

/* A name as it may stand in a sentence: not longer than a line. */
const char *check_quote(struct check *c, struct slice name);

/* Does this application take connections, not requests? */
bool check_accepts(const struct json *app);

#define CHECK_READY_FD_MAX 255 /* the highest descriptor that `ready` may name */

/* The functions of options.def. */
int begin_application(struct check *c, const struct json *value);
int check_absolute(struct check *c, const struct json *value);
int check_access_log(struct check *c, const struct json *value);
int check_affinity(struct check *c, const struct json *value);
int check_application(struct check *c, const struct json *value);
int check_calendar(struct check *c, const struct json *value);
int check_capabilities(struct check *c, const struct json *value);
int check_cgroup(struct check *c, const struct json *value);
int check_directory(struct check *c, const struct json *value);
int check_hostname(struct check *c, const struct json *value);
int check_isolation(struct check *c, const struct json *value);
int check_limit(struct check *c, const struct json *value);
int check_listener(struct check *c, const struct json *value);
int check_log_path(struct check *c, const struct json *value);
int check_mime_types(struct check *c, const struct json *value);
int check_names(struct check *c, const struct json *value);
int check_not_empty(struct check *c, const struct json *value);
int check_pass(struct check *c, const struct json *value);
int check_paths(struct check *c, const struct json *value);
int check_patterns(struct check *c, const struct json *value);
int check_patterns_decoded(struct check *c, const struct json *value);
int check_prefix(struct check *c, const struct json *value);
int check_processes(struct check *c, const struct json *value);
int check_application_kind(struct check *c, const struct json *value);
int check_protocol(struct check *c, const struct json *value);
int check_ready(struct check *c, const struct json *value);
int check_rootfs(struct check *c, const struct json *value);
int check_share(struct check *c, const struct json *value);
int check_signals(struct check *c, const struct json *value);
int check_stack_size(struct check *c, const struct json *value);
int check_targets(struct check *c, const struct json *value);
int check_template(struct check *c, const struct json *value);
int check_text(struct check *c, const struct json *value);

/* Of names: the validation stands at the member. */
int check_address(struct check *c, const struct json *member);
int check_app_name(struct check *c, const struct json *member);
int check_environment_name(struct check *c, const struct json *member);
int check_limit_name(struct check *c, const struct json *member);
int check_target_name(struct check *c, const struct json *member);

#endif

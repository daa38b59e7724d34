/*
 * template.h - strings with variables (variables, 2): parsed once into parts.
 *
 *   "/www$uri/${arg_v}$dollar"  -->  "/www" | URI | "/" | ARG "v" | "$"
 *
 * Says nothing of values: the router joins the parts of a request (router/variables.c).
 */
#ifndef CONF_TEMPLATE_H
#define CONF_TEMPLATE_H

#include "base/arena.h"
#include "base/err.h"

enum variable {
    VAR_LITERAL, /* no variable: text is meant as it stands */
#define VARIABLE(id, name, doc) VAR_##id,
#define FAMILY(id, prefix, doc) VAR_##id,
#include "conf/variables.def"
#undef VARIABLE
#undef FAMILY
    VARIABLES,
};

struct template_part {
    enum variable id;
    struct slice text; /* LITERAL: the text; a family: NAME, as written; else empty */
};

struct template
{
    struct slice text; /* as configured */
    struct template_part *parts;
    size_t n;     /* 0: the empty string */
    bool literal; /* no variables: at most one part */
};

struct templates {
    struct template **p;
    size_t n;
};

/*
 * template_parse - text is copied.  0, -EBADMSG with the sentence (unknown variable, '$' without
 * a name, open brace, JavaScript), -ENOMEM (the arena's cap).
 */
int template_parse(struct arena *a, struct slice text, struct template **ret_template,
                   struct br_err *err);

/* The text of a literal template, "$dollar" resolved. */
struct slice template_literal(const struct template *t);

/* "uri", "arg_": for messages and docs. */
const char *variable_name(enum variable id);
const char *variable_doc(enum variable id);
bool variable_is_family(enum variable id);

#endif

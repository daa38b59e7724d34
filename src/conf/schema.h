/*
 * schema.h - the option table as a JSON Schema (draft 2020-12), for editors and other tools.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/json.h"

/*
 * options_schema - the schema of a whole configuration; all of it lives in the arena.
 *
 * It accepts everything that validate accepts.  It refuses less: references between parts,
 * patterns, templates and addresses are looked at by the daemon alone.  Of ours are "x-live" (what
 * a change does) and "x-absent" (what this build lacks for the option; such an option is never
 * valid).
 */
struct json *options_schema(struct arena *a);

#endif

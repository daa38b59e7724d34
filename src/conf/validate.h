/*
 * validate.h - is this tree a configuration?  First the option table, then the references between
 * parts.  Either the first fault, in the order of the text, is reported, or each of them.
 */
#ifndef CONF_VALIDATE_H
#define CONF_VALIDATE_H

#include "conf/json.h"
#include "conf/module.h"

/* Where and why. */
struct conf_fault {
    struct br_err err; /* one sentence that names the option: `detail` */
    /* "/routes/0/action/share", a JSON pointer from the root of the configuration: `path`.  A
       longer one points at the nearest parent that it has room for. */
    char path[1024];
    bool has_path;   /* "" is the root itself */
    uint32_t offset; /* of the value (or of the name, when that is at fault) in the text it was
                        parsed from; JSON_NOWHERE when it came from an older text */
};

/*
 * validate - 0, or -EBADMSG (see fault).
 *
 *   a         scratch, without a cap: patterns and templates are compiled to see whether they can
 *             be; what is needed is linear in the tree, and that had its limit
 *   modules   what `type` may name; NULL: any known language (a router, which was told by a
 *             controller that knew)
 */
int validate(struct arena *a, const struct json *conf, const struct conf_modules *modules,
             struct conf_fault *fault);

/* Who hears of each fault; the struct lives for the call only. */
struct conf_faults {
    void (*on_fault)(struct conf_faults *faults, const struct conf_fault *fault);
    unsigned n; /* so many so far */
};

/* One more. */
void conf_faults_add(struct conf_faults *faults, const struct conf_fault *fault);

/*
 * validate_all - the same, but the walk goes on behind a fault: what stands inside of a value that
 * has the wrong type is all that is not looked at.  0, or -EBADMSG when there was any.
 */
int validate_all(struct arena *a, const struct json *conf, const struct conf_modules *modules,
                 struct conf_faults *faults);

/*
 * conf_fault_set - note a fault; also for what only applying can find out.
 *   path   a JSON pointer; NULL: the one that is there stays
 * Returns rc.
 */
int conf_fault_set(struct conf_fault *fault, int rc, uint32_t offset, const char *path,
                   const char *fmt, ...) br_printf(5, 6);

#endif

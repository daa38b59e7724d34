/*
 * migrate_formats.c - every format that broodctl migrate reads, and its manual.
 */
#include "programs/migrate.h"
#include "programs/migrate_manual.h"

const struct migrate_format migrate_formats[] = {
    {"unit", "NGINX Unit",
     "A `conf.json`, what `GET /` or `GET /config` of its control socket answered, or its state "
     "directory. The configuration stays as it is; listed are the places where brood differs.",
     unit_directives, &n_unit_directives, migrate_unit},
    {"uwsgi", "uWSGI",
     "An ini file, `FILE` or `FILE:SECTION`. Includes (`ini`, `include`, `inherit`), `%(name)`, "
     "`%d` and its kind, and `$(ENV)` are resolved; `@(file)`, conditions and loops are not "
     "evaluated. XML, YAML and JSON files are not read: `uwsgi --show-config` prints them as ini.",
     uwsgi_directives, &n_uwsgi_directives, migrate_uwsgi},
    {"gunicorn", "gunicorn",
     "Any of: `gunicorn.conf.py` (its assignments of literals are read; nothing is run), the "
     "systemd unit that starts gunicorn (`GUNICORN_CMD_ARGS`, `--config FILE` and the command "
     "line), or a script or Procfile with a line that runs it.",
     gunicorn_directives, &n_gunicorn_directives, migrate_gunicorn},
    {"php-fpm", "PHP-FPM",
     "`php-fpm.conf` with what it includes, or pool files. Each pool becomes an application.",
     fpm_directives, &n_fpm_directives, migrate_fpm},
    {"fcgiwrap", "fcgiwrap",
     "Its systemd service and socket units, or the defaults of its init script "
     "(`/etc/default/fcgiwrap`).",
     fcgiwrap_directives, &n_fcgiwrap_directives, migrate_fcgiwrap},
};
const size_t n_migrate_formats = array_len(migrate_formats);

static const char *
becomes(const struct directive *d)
{
    switch (d->how) {
    case NOWHERE:
        return "nothing";
    case DIFFERENTLY:
        return "differs";
    case ALWAYS:
        return "always so";
    case TO_INT:
    case TO_BOOL:
    case TO_SECONDS:
    case TO_STRING:
    case TO_LIST:
    case TO_ENV:
    case BY_FORMAT:
        break;
    }
    return d->to != NULL ? d->to : "is read";
}

/* `a`, `b` */
static void
put_names(struct buf *b, const char *names)
{
    struct slice rest = slice_cstr(names), name;
    const char *comma = "";

    while (slice_split(&rest, ' ', &name)) {
        buf_printf(b, "%s`" SLICE_FMT "`", comma, SLICE_ARG(name));
        comma = ", ";
    }
}

static void
put_format(struct buf *b, const struct migrate_format *f)
{
    buf_printf(b, "\n## %s: `broodctl migrate %s FILE…`\n\n%s\n\n", f->title, f->name, f->about);
    buf_puts(b, "| directive | becomes | to know |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < *f->n; i++) {
        const struct directive *d = &f->table[i];
        bool is_place = d->to != NULL && d->how != NOWHERE && d->how != DIFFERENTLY;

        buf_puts(b, "| ");
        put_names(b, d->names);
        buf_printf(b, is_place ? " | `%s` | %s |\n" : " | %s | %s |\n", becomes(d), d->doc);
    }
}

int
migrate_manual(struct buf *b)
{
    buf_puts(b,
             "# Coming from another server\n\nPrinted from the tables in "
             "`src/programs/migrate_*.def` by `make docs`.\n\n"
             "    broodctl migrate uwsgi /etc/uwsgi/apps-enabled/blog.ini >conf.json\n"
             "    broodctl apply --dry-run conf.json\n\n"
             "The configuration goes to standard output. Each directive that has no counterpart, "
             "acts differently, or could not be evaluated is listed on standard error with its "
             "place and advice (`--report json`: as JSON; `--json`: both in one object). What this "
             "build has not got yet is written as it will be, and listed too. Nothing is run, and "
             "no server is asked.\n\n"
             "A place without a leading `/` is below the application, with it below the root. "
             "*always so*: brood does it anyway.\n");
    for (size_t i = 0; i < n_migrate_formats; i++)
        put_format(b, &migrate_formats[i]);
    return b->error;
}

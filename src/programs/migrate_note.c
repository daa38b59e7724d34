/*
 * migrate_note.c - the files that are read, and what is said of them: refusals and notes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "programs/broodctl_input.h"
#include "programs/migrate.h"

#define NESTING_MAX 16

struct migrate_file {
    struct migrate_file *within;
    const char *key;
    unsigned depth;
};

enum ctl_exit
migrate_fail(struct place at, const char *fmt, ...)
{
    va_list args;

    fflush(stdout);
    if (at.line > 0)
        fprintf(stderr, "%s:%u: ", at.file, at.line);
    else
        fprintf(stderr, "%s: ", at.file);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    putc('\n', stderr);
    return CTL_REFUSED;
}

/* Where a note belongs: behind those of its file that are not below its line. */
static struct note **
place_among(struct migration *m, struct place at)
{
    struct note **found = NULL, **end = &m->notes;

    for (; *end != NULL; end = &(*end)->next) {
        const struct place *other = &(*end)->at;

        if (other->file == NULL || at.file == NULL || strcmp(other->file, at.file) != 0)
            continue;
        if (other->line - 1 > at.line - 1) /* 0, the file as a whole, comes last */
            return end;
        found = &(*end)->next;
    }
    return found != NULL ? found : end;
}

void
migrate_note(struct migration *m, struct place at, const char *subject, enum note_kind kind,
             const char *fmt, ...)
{
    struct note *note = arena_new(m->arena, struct note), **where = place_among(m, at);
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    *note = (struct note){*where, at, subject, kind, arena_cstr(m->arena, slice_cstr(text))};
    *where = note;
}

/* The line that a byte of the text is on. */
static unsigned
line_of(struct slice text, size_t offset)
{
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text.p[i] == '\n';
    return line;
}

enum ctl_exit
migrate_open(struct migration *m, const char *path, const char *key, struct place from,
             struct slice *ret_text)
{
    struct migrate_file *file = arena_new(m->arena, struct migrate_file);
    const char *origin;
    struct slice text;
    size_t nul;

    *file = (struct migrate_file){m->reading, key, m->reading ? m->reading->depth + 1 : 0};
    for (const struct migrate_file *f = m->reading; f != NULL; f = f->within) {
        if (strcmp(f->key, key) == 0)
            return migrate_fail(from, "\"%s\" includes itself", path);
    }
    if (file->depth >= NESTING_MAX)
        return migrate_fail(from, "\"%s\" is nested too deeply", path);
    if (input_read(m->arena, path, &text, &origin) != CTL_OK)
        return from.line > 0 ? migrate_fail(from, "which is asked for here") : CTL_REFUSED;
    nul = slice_find(text, 0, '\0');
    if (nul < text.n)
        return migrate_fail((struct place){path, line_of(text, nul)}, "not text: a zero byte");
    m->reading = file;
    *ret_text = text;
    return CTL_OK;
}

void
migrate_close(struct migration *m)
{
    m->reading = m->reading->within;
}

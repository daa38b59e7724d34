/*
 * invocation.c - the command line, in any of its three forms, as one struct.
 *
 *   argv --first word begins with '-' and has a space or comma--> cut: its words, then the rest
 *     `--> words --options--> interpreter --its own options--> script --> arguments
 *
 * One cursor over one array of words serves the three forms: a combined argument is cut and put in
 * front of what follows it.  Values are the rest of the word (less one '=') or the next word.
 */
#include "interp/invocation.h"

#include <stdlib.h>
#include <string.h>

struct cursor {
    char **at;
    char **combined_end; /* the first word that does not come from a combined argument; or NULL */
};

static enum invocation_fault
blame(struct invocation *inv, enum invocation_fault fault, const char *word)
{
    inv->fault = fault;
    inv->blamed = word;
    return fault;
}

static bool
is_combined(const char *word)
{
    return word != NULL && word[0] == '-' &&
           (strchr(word, ' ') != NULL || strchr(word, ',') != NULL);
}

/* Cut at each separator; runs of it count once. */
static size_t
cut(char *text, char separator, char **words)
{
    size_t n = 0;
    bool inside = false;

    for (char *p = text; *p != '\0'; p++) {
        if (*p == separator) {
            *p = '\0';
            inside = false;
        } else if (!inside) {
            words[n++] = p;
            inside = true;
        }
    }
    return n;
}

/* One array: what the combined argument holds, then the words behind it. */
static enum invocation_fault
spread(struct invocation *inv, int argc, char **argv, struct cursor *c)
{
    size_t n = strlen(argv[1]);
    char separator = strchr(argv[1], ' ') != NULL ? ' ' : ',';
    size_t words;

    inv->words_text = malloc(n + 1);
    inv->words = malloc((n + (size_t)argc + 1) * sizeof(char *));
    if (inv->words_text == NULL || inv->words == NULL)
        return blame(inv, INVOCATION_NO_MEMORY, argv[1]);
    memcpy(inv->words_text, argv[1], n + 1);
    words = cut(inv->words_text, separator, inv->words);
    memcpy(inv->words + words, argv + 2, (size_t)(argc - 1) * sizeof(char *));
    c->at = inv->words;
    c->combined_end = inv->words + words;
    return INVOCATION_GOOD;
}

static enum invocation_fault
take_seconds(struct invocation *inv, const char *value, int64_t *ret_s)
{
    int64_t s = 0;

    if (*value == '\0')
        return blame(inv, INVOCATION_NOT_A_NUMBER, value);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || s > 100000000)
            return blame(inv, INVOCATION_NOT_A_NUMBER, value);
        s = s * 10 + (*p - '0');
    }
    *ret_s = s;
    return INVOCATION_GOOD;
}

struct long_option {
    const char *name;
    enum invocation_mode mode; /* INVOKE_RUN: it is no mode */
    size_t seconds;            /* offset of an int64_t that its value sets; 0: takes no value */
    size_t flag;               /* offset of a bool that it sets; 0: none */
};

static const struct long_option long_options[] = {
    {"kill", INVOKE_KILL, 0, 0},
    {"warm", INVOKE_WARM, 0, 0},
    {"list", INVOKE_LIST, 0, 0},
    {"status", INVOKE_STATUS, 0, 0},
    {"explain", INVOKE_EXPLAIN, 0, 0},
    {"help", INVOKE_HELP, 0, 0},
    {"version", INVOKE_VERSION, 0, 0},
    {"no-fallback", INVOKE_RUN, 0, offsetof(struct invocation, no_fallback)},
    {"start-timeout", INVOKE_RUN, offsetof(struct invocation, start_timeout_s), 0},
    {"wait", INVOKE_RUN, offsetof(struct invocation, wait_s), 0},
};

static enum invocation_fault
take_long(struct invocation *inv, struct cursor *c)
{
    char *word = *c->at++;
    const char *equals = strchr(word, '=');
    size_t n = equals != NULL ? (size_t)(equals - word - 2) : strlen(word + 2);

    for (size_t i = 0; i < array_len(long_options); i++) {
        const struct long_option *o = &long_options[i];

        if (strlen(o->name) != n || memcmp(o->name, word + 2, n) != 0)
            continue;
        if (o->seconds != 0) {
            const char *value = equals != NULL ? equals + 1 : *c->at;

            if (value == NULL)
                return blame(inv, INVOCATION_NEEDS_VALUE, word);
            c->at += equals == NULL;
            return take_seconds(inv, value, (int64_t *)((char *)inv + o->seconds));
        }
        if (equals != NULL)
            return blame(inv, INVOCATION_TAKES_NO_VALUE, word);
        if (o->flag != 0)
            *(bool *)((char *)inv + o->flag) = true;
        else
            inv->mode = o->mode;
        return INVOCATION_GOOD;
    }
    return blame(inv, INVOCATION_UNKNOWN, word);
}

/* The letter takes a value: the rest of the word less one '=', or the next word. */
static enum invocation_fault
take_value(struct invocation *inv, struct cursor *c, char *word, char *letter)
{
    const char *value = letter + 1;

    if (*value == '=')
        value++;
    else if (*value == '\0')
        value = *c->at;
    if (value == NULL)
        return blame(inv, INVOCATION_NEEDS_VALUE, word);
    c->at += letter[1] == '\0';
    if (*letter == 'g')
        inv->ident = value;
    else
        inv->keys[inv->n_keys++] = (struct invocation_key){*letter, value};
    return INVOCATION_GOOD;
}

static enum invocation_fault
take_short(struct invocation *inv, struct cursor *c)
{
    char *word = *c->at++;

    for (char *p = word + 1; *p != '\0'; p++) {
        if (*p == 'E' || *p == 'G' || *p == 'g')
            return take_value(inv, c, word, p);
        if (*p == 'U')
            inv->unlaundered = true;
        else if (*p == 'f')
            inv->mode = INVOKE_FRESH;
        else if (*p == 'C')
            inv->any_directory = true;
        else
            return blame(inv, INVOCATION_UNKNOWN, word);
        if (p[1] == '=')
            return blame(inv, INVOCATION_TAKES_NO_VALUE, word);
    }
    return INVOCATION_GOOD;
}

static enum invocation_fault
take_options(struct invocation *inv, struct cursor *c)
{
    enum invocation_fault fault = INVOCATION_GOOD;

    while (fault == INVOCATION_GOOD && *c->at != NULL && (*c->at)[0] == '-') {
        if (c->combined_end != NULL && c->at >= c->combined_end)
            break;
        if (strcmp(*c->at, "--") == 0) {
            c->at++;
            break;
        }
        fault = (*c->at)[1] == '-' ? take_long(inv, c) : take_short(inv, c);
    }
    return fault;
}

/* Modes that may go without an interpreter. */
static bool
needs_nobody(const struct invocation *inv)
{
    return inv->mode == INVOKE_HELP || inv->mode == INVOKE_VERSION || inv->mode == INVOKE_LIST;
}

/* What stands behind our own options. */
static enum invocation_fault
take_script(struct invocation *inv, struct cursor *c)
{
    bool combined = c->combined_end != NULL;

    if (needs_nobody(inv))
        return INVOCATION_GOOD;
    if (combined && c->at >= c->combined_end)
        return blame(inv, INVOCATION_COMBINED_LACKS_INTERPRETER, "");
    if (*c->at == NULL) {
        /* -g names the server: to be rid of it, no interpreter is needed. */
        if (inv->ident != NULL && (inv->mode == INVOKE_KILL || inv->mode == INVOKE_STATUS))
            return INVOCATION_GOOD;
        return blame(inv, INVOCATION_NO_INTERPRETER, "");
    }
    inv->interpreter = *c->at++;
    inv->options = c->at;
    if (combined) {
        inv->n_options = (size_t)(c->combined_end - c->at);
        c->at = c->combined_end;
        if (*c->at == NULL)
            return blame(inv, INVOCATION_COMBINED_LACKS_SCRIPT, "");
    } else {
        while (*c->at != NULL && (*c->at)[0] == '-' && (*c->at)[1] != '\0')
            c->at++;
        inv->n_options = (size_t)(c->at - inv->options);
    }
    if (*c->at != NULL)
        inv->script = *c->at++;
    inv->args = c->at;
    return INVOCATION_GOOD;
}

enum invocation_fault
invocation_read(struct invocation *inv, int argc, char **argv)
{
    struct cursor c = {.at = argv + (argc > 0)};
    enum invocation_fault fault = INVOCATION_GOOD;
    size_t most;

    memset(inv, 0, sizeof(*inv));
    inv->start_timeout_s = -1;
    inv->wait_s = -1;
    if (is_combined(*c.at))
        fault = spread(inv, argc, argv, &c);
    for (most = 0; fault == INVOCATION_GOOD && c.at[most] != NULL; most++)
        ;
    inv->keys = malloc((most + 1) * sizeof(inv->keys[0]));
    if (inv->keys == NULL)
        fault = blame(inv, INVOCATION_NO_MEMORY, "");
    if (fault == INVOCATION_GOOD)
        fault = take_options(inv, &c);
    if (fault == INVOCATION_GOOD)
        fault = take_script(inv, &c);
    if (fault == INVOCATION_GOOD && !inv->unlaundered && !needs_nobody(inv))
        fault = blame(inv, INVOCATION_NEEDS_U, "");
    return fault;
}

void
invocation_done(struct invocation *inv)
{
    free(inv->keys);
    free(inv->words);
    free(inv->words_text);
    memset(inv, 0, sizeof(*inv));
}

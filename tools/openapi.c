/*
 * openapi.c - the control API's own table of resources as an OpenAPI 3.1 description:
 * docs/openapi.json.
 *
 *   rows of one path -> a path item       row -> an operation: parameters, body, answers
 *   "X/(any)"        -> "X/{path}", and "X" itself when it has no row of its own
 *
 * The configuration's schema is docs/schema.json, which lies beside it wherever it is installed.
 * See https://spec.openapis.org/oas/v3.1.0.
 */
#include <stdio.h>
#include <stdlib.h>

#include "conf/json_write.h"
#include "controller/api.h"

#define PAGE_BYTES_MAX (1u << 20)

static struct json *
add_text(struct arena *a, struct json *object, const char *name, const char *text)
{
    return json_add(object, slice_cstr(name), json_new_string(a, slice_cstr(text)));
}

static struct json *
add_object(struct arena *a, struct json *object, const char *name)
{
    return json_add(object, slice_cstr(name), json_new(a, JSON_OBJECT));
}

/* A tree that is written down here: the parts that no table has. */
static struct json *
fixed(struct arena *a, const char *text)
{
    struct json *value;
    size_t offset;

    if (json_parse(a, slice_cstr(text), &value, &offset, NULL) < 0)
        abort();
    return value;
}

/* --- paths --- */

/* Of a row's path: up to a "(any number)", whose place is taken by the suffix. */
static const char *
template_of(struct arena *a, const char *path, const char *suffix)
{
    const char *text = "";
    struct slice rest = slice_cstr(path + 1), piece;

    while (slice_split(&rest, '/', &piece)) {
        if (slice_eq(piece, SLICE("**")))
            return arena_printf(a, "%s%s", text, suffix);
        text = slice_eq(piece, SLICE("*"))
                   ? arena_printf(a, "%s/{name}", text)
                   : arena_printf(a, "%s/" SLICE_FMT, text, SLICE_ARG(piece));
    }
    return text[0] == '\0' ? "/" : text;
}

static bool
has_row(const char *path)
{
    size_t n;
    const struct api_resource *rows = api_resources(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].path, path) == 0)
            return true;
    }
    return false;
}

/* --- one operation --- */

static void
add_parameter(struct arena *a, struct json *list, const char *name, const char *in, const char *doc,
              const char *schema)
{
    struct json *parameter = json_push(list, json_new(a, JSON_OBJECT));

    add_text(a, parameter, "name", name);
    add_text(a, parameter, "in", in);
    if (strcmp(in, "path") == 0)
        json_add(parameter, SLICE("required"), json_new_bool(a, true));
    add_text(a, parameter, "description", doc);
    json_add(parameter, SLICE("schema"), fixed(a, schema));
}

static const char *
query_doc(struct slice query)
{
    if (slice_eq(query, SLICE("dry_run")))
        return "Validate and plan only; the answer has the steps, and nothing happens.";
    return "Take the place of what is there under that name.";
}

static void
add_parameters(struct arena *a, struct json *operation, const struct api_resource *row,
               const char *path)
{
    struct json *list = json_new(a, JSON_ARRAY);
    struct slice rest = row->queries != NULL ? slice_cstr(row->queries) : SLICE_NONE, query;

    if (strstr(path, "{path}") != NULL)
        add_parameter(
            a, list, "path", "path",
            arena_printf(a,
                         "%s. A slash between segments stays one; a slash inside a segment is "
                         "written `%%2F`.",
                         row->argument),
            "{\"type\": \"string\"}");
    if (strstr(path, "{name}") != NULL)
        add_parameter(a, list, "name", "path", row->argument, "{\"type\": \"string\"}");
    while (rest.n > 0 && slice_split(&rest, ' ', &query))
        add_parameter(a, list, arena_cstr(a, query), "query", query_doc(query),
                      "{\"enum\": [\"\", \"true\", \"1\", \"false\", \"0\"]}");
    if (row->if_match)
        add_parameter(a, list, "If-Match", "header",
                      "Only if the configuration in force has one of these tags when the change's "
                      "turn comes (RFC 9110, 13.1.1).",
                      "{\"type\": \"string\"}");
    if (list->n > 0)
        json_add(operation, SLICE("parameters"), list);
}

/* {"application/json": {"schema": …}} */
static void
add_content(struct arena *a, struct json *to, const char *type, struct json *schema)
{
    struct json *content = add_object(a, to, "content");

    json_add(add_object(a, content, type), SLICE("schema"), schema);
}

static bool
is_whole(const char *path)
{
    return strcmp(path, "/config") == 0;
}

static struct json *
schema_of(struct arena *a, enum api_body body, const char *path)
{
    switch (body) {
    case API_PEM:
        return fixed(a, "{\"type\": \"string\"}");
    case API_DONE:
        return fixed(a, "{\"$ref\": \"#/components/schemas/Done\"}");
    case API_JSON:
    case API_CONFIG:
        if (is_whole(path))
            return fixed(a, "{\"$ref\": \"schema.json\"}");
        break;
    case API_NOTHING:
    case API_VALUE:
        break;
    }
    return json_new(a, JSON_OBJECT);
}

static void
add_body(struct arena *a, struct json *operation, const struct api_resource *row, const char *path)
{
    struct json *body;

    if (row->takes == API_NOTHING)
        return;
    body = add_object(a, operation, "requestBody");
    json_add(body, SLICE("required"), json_new_bool(a, true));
    add_content(a, body, row->takes == API_PEM ? "application/x-pem-file" : "application/json",
                schema_of(a, row->takes, path));
}

static void
add_refusal(struct arena *a, struct json *answers, struct slice status)
{
    json_add(answers, status,
             fixed(a, arena_printf(a, "{\"$ref\": \"#/components/responses/" SLICE_FMT "\"}",
                                   SLICE_ARG(status))));
}

/* What a row names, and what anybody may get who is not let in. */
static void
add_answers(struct arena *a, struct json *operation, const struct api_resource *row,
            const char *path)
{
    struct json *answers = add_object(a, operation, "responses");
    struct json *good = add_object(a, answers, "200");
    struct slice rest = row->refusals != NULL ? slice_cstr(row->refusals) : SLICE_NONE, status;

    add_text(a, good, "description", row->gives == API_DONE ? "Done." : "The value.");
    if (row->gives == API_CONFIG)
        json_add(good, SLICE("headers"),
                 fixed(a, "{\"ETag\": {\"$ref\": \"#/components/headers/ETag\"}}"));
    add_content(a, good, "application/json", schema_of(a, row->gives, path));
    add_refusal(a, answers, SLICE("401"));
    add_refusal(a, answers, SLICE("403"));
    while (rest.n > 0 && slice_split(&rest, ' ', &status))
        add_refusal(a, answers, status);
}

static const char *
lower(struct arena *a, const char *word)
{
    char *text = arena_cstr(a, slice_cstr(word));

    for (char *p = text; *p != '\0'; p++)
        *p = ascii_lower(*p);
    return text;
}

static void
add_operation(struct arena *a, struct json *paths, const struct api_resource *row, const char *path)
{
    struct json *item = json_get(paths, slice_cstr(path));
    struct json *operation;

    if (item == NULL)
        item = add_object(a, paths, path);
    operation = add_object(a, item, lower(a, api_method_name(row->method)));
    add_text(a, operation, "summary", row->doc);
    add_parameters(a, operation, row, path);
    add_body(a, operation, row, path);
    add_answers(a, operation, row, path);
}

static void
add_row(struct arena *a, struct json *paths, const struct api_resource *row)
{
    const char *whole = template_of(a, row->path, "");

    if (strstr(row->path, "**") == NULL) {
        add_operation(a, paths, row, whole);
        return;
    }
    if (!has_row(whole))
        add_operation(a, paths, row, whole);
    add_operation(a, paths, row, template_of(a, row->path, "/{path}"));
}

/* --- all of it --- */

static const char info[] =
    "{\"title\": \"brood control API\", \"version\": \"" BROOD_VERSION "\","
    " \"description\": \"One request per connection, over the control socket. Every answer is JSON."
    " Methods without an operation here answer 405.\"}";

static const char schemas[] =
    "{\"Done\": {\"type\": \"object\", \"required\": [\"success\"], \"properties\": {"
    "  \"success\": {\"type\": \"string\"},"
    "  \"plan\": {\"description\": \"Of a dry run: the steps that the change would take.\","
    "   \"type\": \"array\", \"items\": {\"type\": \"object\", \"required\": [\"step\", \"name\"],"
    "   \"properties\": {\"step\": {\"type\": \"string\"}, \"name\": {\"type\": \"string\"}}}}}},"
    " \"Error\": {\"type\": \"object\", \"required\": [\"error\"], \"properties\": {"
    "  \"error\": {\"description\": \"What happened.\", \"type\": \"string\"},"
    "  \"detail\": {\"description\": \"Why.\", \"type\": \"string\"},"
    "  \"path\": {\"description\": \"Where in the configuration: a JSON pointer (RFC 6901).\","
    "   \"type\": \"string\"},"
    "  \"location\": {\"description\": \"Where in the body.\", \"type\": \"object\","
    "   \"required\": [\"offset\"], \"properties\": {\"offset\": {\"type\": \"integer\"},"
    "   \"line\": {\"type\": \"integer\"}, \"column\": {\"type\": \"integer\"}}}}}}";

static const char headers[] =
    "{\"ETag\": {\"description\": \"Of the whole configuration, whichever part is asked for.\","
    " \"schema\": {\"type\": \"string\"}}}";

/* Each status that a row may name. */
static const struct {
    const char *status;
    const char *doc;
} refusals[] = {
    {"400", "The body or the request is not acceptable."},
    {"401", "This control socket asks for a token."},
    {"403", "Who asks may read /status only."},
    {"404", "There is nothing at this path."},
    {"405", "What is at this path does not know the method."},
    {"409", "What is asked for comes too late."},
    {"412", "The configuration in force is not one that If-Match names."},
    {"413", "The body is too large."},
    {"500", "It cannot be done now; everything is as it was."},
};

static void
add_components(struct arena *a, struct json *root)
{
    struct json *components = add_object(a, root, "components");
    struct json *answers;

    json_add(components, SLICE("schemas"), fixed(a, schemas));
    json_add(components, SLICE("headers"), fixed(a, headers));
    answers = add_object(a, components, "responses");
    for (size_t i = 0; i < array_len(refusals); i++) {
        struct json *answer = add_object(a, answers, refusals[i].status);

        add_text(a, answer, "description", refusals[i].doc);
        add_content(a, answer, "application/json",
                    fixed(a, "{\"$ref\": \"#/components/schemas/Error\"}"));
    }
}

static struct json *
description(struct arena *a)
{
    struct json *root = json_new(a, JSON_OBJECT);
    size_t n;
    const struct api_resource *rows = api_resources(&n);
    struct json *paths;

    add_text(a, root, "openapi", "3.1.0");
    json_add(root, SLICE("info"), fixed(a, info));
    paths = add_object(a, root, "paths");
    for (size_t i = 0; i < n; i++)
        add_row(a, paths, &rows[i]);
    add_components(a, root);
    return root;
}

int
main(void)
{
    struct arena a;
    struct buf b;
    int rc;

    arena_init(&a, 0);
    buf_init(&b, PAGE_BYTES_MAX);
    rc = json_write(&b, description(&a));
    for (size_t i = 0; rc == 0 && i < b.n; i++) {
        if (b.p[i] != '\r')
            putchar(b.p[i]);
    }
    buf_done(&b);
    arena_done(&a);
    return rc < 0 || ferror(stdout) ? 1 : 0;
}

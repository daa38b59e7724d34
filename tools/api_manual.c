/*
 * api_manual.c - print the resources of the control API: docs/api.md.
 */
#include <stdio.h>

#include "controller/api.h"

static const char *
method_name(enum req_method method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_PUT:
        return "PUT";
    case METHOD_POST:
        return "POST";
    case METHOD_DELETE:
        return "DELETE";
    case METHOD_HEAD:
    case METHOD_OPTIONS:
    case METHOD_CONNECT:
    case METHOD_OTHER:
        break;
    }
    return "?";
}

int
main(void)
{
    size_t n;
    const struct api_resource *rows = api_resources(&n);

    printf("# Control API\n\n"
           "Printed from the table in `src/controller/api.c` by `make docs`. `*` stands for one "
           "segment of the path, `**` for any number of them; a `/` inside a segment is written "
           "`%%2F`. Every answer is JSON: the value itself, `{\"success\": …}`, or "
           "`{\"error\": …, \"detail\": …, \"path\": …, \"location\": …}`.\n\n"
           "| path | method | what |\n"
           "| --- | --- | --- |\n");
    for (size_t i = 0; i < n; i++)
        printf("| `%s` | %s | %s |\n", rows[i].path, method_name(rows[i].method), rows[i].doc);
    return ferror(stdout) ? 1 : 0;
}

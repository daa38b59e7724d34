/*
 * api_manual.c - print the resources of the control API: docs/api.md.
 */
#include <stdio.h>

#include "controller/api.h"

int
main(void)
{
    size_t n;
    const struct api_resource *rows = api_resources(&n);

    printf(
        "# Control API\n\n"
        "Printed from the table in `src/controller/api.c` by `make docs`. `*` stands for one "
        "segment of the path, `**` for any number of them; a `/` inside a segment is written "
        "`%%2F`. Every answer is JSON: the value itself, `{\"success\": …}`, or "
        "`{\"error\": …, \"detail\": …, \"path\": …, \"location\": …}`.\n\n"
        "A change (also a restart) with the query `dry_run` is validated and planned, and answers "
        "`{\"success\": \"Valid.\", \"plan\": [{\"step\": …, \"name\": …}, …]}`; nothing "
        "happens. A query that is not named here is ignored.\n\n"
        "A request to a TCP control address carries `Authorization: Bearer TOKEN`, else the answer "
        "is 401. Who has the role `read`, by a token or as a caller of the Unix socket, may GET "
        "`/status` and what is below it; everything else is 403.\n\n"
        "`GET /config` and its parts have an `ETag`, that of the whole configuration. A change "
        "with `If-Match` is made only if, when its turn comes, the configuration in force has "
        "one of the tags of the list (for `*`: if there is something at the path), else the "
        "answer is 412. `path` in an error is a JSON pointer (RFC 6901) from the root of the "
        "configuration; `location` is a place in the body, when the fault is there.\n\n"
        "| path | method | what |\n"
        "| --- | --- | --- |\n");
    for (size_t i = 0; i < n; i++)
        printf("| `%s` | %s | %s |\n", rows[i].path, api_method_name(rows[i].method), rows[i].doc);
    return ferror(stdout) ? 1 : 0;
}

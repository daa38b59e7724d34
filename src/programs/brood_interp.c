/*
 * brood_interp.c - main() of the accelerator's other program: starts servers, and is one.
 *
 *   brood-interp run ARG...       prefork-interp ARG..., off its fast path
 *   brood-interp wait FD ARG...   the same, already connected
 *   brood-interp sent FD ARG...   the same, and the request has been sent
 *   brood-interp ended STATUS     say what a service died of
 *   brood-interp serve FD         the server; executed by a script's library
 *
 * Nobody types this: prefork-interp and the libraries execute it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "interp/complaint.h"
#include "interp/run.h"
#include "interp/serve.h"

static int
usage(void)
{
    return complain("brood-interp is executed by prefork-interp and by the libraries of scripts");
}

int
main(int argc, char **argv, char **environ_)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t number = 0;

    if (strcmp(what, "run") == 0)
        return interp_run(argc - 1, argv + 1, environ_, -1, false);
    if (argc < 3 || slice_u64(slice_cstr(argv[2]), &number) < 0 || number > UINT32_MAX)
        return usage();
    if (strcmp(what, "wait") == 0 || strcmp(what, "sent") == 0)
        return interp_run(argc - 2, argv + 2, environ_, (int)number, what[0] == 's');
    if (strcmp(what, "ended") == 0)
        return complain_status((uint32_t)number, "invocation");
    if (strcmp(what, "serve") == 0)
        return interp_serve((int)number);
    return usage();
}

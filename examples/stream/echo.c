/*
 * echo.c - what clients say, said back: a stream application in C.
 *
 *   cc -o echo echo.c $(pkg-config --cflags --libs brood-app)
 */
#include <brood/application.h>
#include <unistd.h>

static void
echo(const struct br_app_connection *connection, void *arg)
{
    char bytes[65536];
    ssize_t n, done, rc;

    (void)arg;
    while ((n = read(connection->fd, bytes, sizeof(bytes))) > 0) {
        for (done = 0; done < n; done += rc) {
            rc = write(connection->fd, bytes + done, (size_t)(n - done));
            if (rc < 0)
                return;
        }
    }
}

int
main(void)
{
    const struct br_app_options options = {.size = sizeof(options), .connection = echo};

    return br_app_run(&options);
}

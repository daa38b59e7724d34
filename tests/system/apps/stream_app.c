/*
 * stream_app.c - a stream application in C: one line answers each line.
 */
#include <arpa/inet.h>
#include <brood/application.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t prototype;
static pid_t started;

static int
load(void *arg)
{
    printf("loaded %s\n", (const char *)arg); /* not flushed: it must be written once */
    prototype = getpid();
    return getenv("LOAD") != NULL ? atoi(getenv("LOAD")) : 0;
}

static int
start(void *arg)
{
    (void)arg;
    started = getpid();
    return 0;
}

static void
stop(void *arg)
{
    (void)arg;
    printf("stopped %d\n", (int)getpid());
}

static void
say_peer(FILE *to, const struct br_app_connection *c)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)c->peer;
    char ip[64];

    if (c->peer_length == 0 || c->peer->sa_family != AF_INET)
        fprintf(to, "unix\n");
    else
        fprintf(to, "%s %u\n", inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip)),
                ntohs(in->sin_port));
}

static void
serve(const struct br_app_connection *c, void *arg)
{
    FILE *in = fdopen(dup(c->fd), "r"), *out = fdopen(dup(c->fd), "w");
    char line[256];

    (void)arg;
    while (fgets(line, sizeof(line), in) != NULL) {
        if (strcmp(line, "pid\n") == 0)
            fprintf(out, "%d\n", (int)getpid());
        else if (strcmp(line, "prototype\n") == 0)
            fprintf(out, "%d\n", (int)prototype);
        else if (strcmp(line, "started\n") == 0)
            fprintf(out, "%d\n", started == getpid());
        else if (strcmp(line, "peer\n") == 0)
            say_peer(out, c);
        else if (strcmp(line, "leave\n") == 0)
            br_app_leave();
        else
            fputs(line, out);
        fflush(out);
    }
    if (ferror(in) && errno == EAGAIN)
        fprintf(out, "silence\n");
    fclose(out);
    fclose(in);
}

int
main(int argc, char **argv)
{
    const struct br_app_options options = {.size = sizeof(options),
                                           .arg = strdup(argc > 1 ? argv[1] : "nothing"),
                                           .load = load,
                                           .start = start,
                                           .connection = serve,
                                           .stop = stop};

    return br_app_run(&options);
}

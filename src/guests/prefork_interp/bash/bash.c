/*
 * bash.c - bash's own state, as a fork that begins a call must have it.
 *
 *   the script   bash reads it as it goes, by a descriptor whose offset children share: each opens
 * it again signals      one ignored when bash first looks at it can never be trapped, so those of
 * the first caller are hidden from it
 *   $$, PPID, jobs, RANDOM, SECONDS   belong to a process
 *
 * Headers: package bash-builtins; what these lack is declared here (trap.h, input.h of the same
 * version).
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <builtins.h>
#include <shell.h>
#include <jobs.h>
#include <builtins/common.h>

#include "guests/prefork_interp/bash/bash.h"

extern int default_buffered_input;
extern int sync_buffered_stream(int);
extern void restore_default_signal(int);
extern void set_original_signal(int, SigHandler *);
extern void set_signal_hard_ignored(int);
extern void seedrand(void);
extern void seedrand32(void);
extern void delete_all_jobs(int);
extern time_t shell_start_time;

static off_t script_at;

const char *
bash_unfit(void)
{
    if (variable_context > 0)
        return "must not be called in a function, whose arguments are not the script's";
    if (subshell_environment != 0 || getpid() != dollar_dollar_pid)
        return "must not be called in a subshell";
    return NULL;
}

const char *
bash_script(void)
{
    return dollar_vars[0] != NULL ? dollar_vars[0] : "bash";
}

int
bash_script_fd(void)
{
    return default_buffered_input;
}

void
bash_pause(void)
{
    fflush(stdout);
    fflush(stderr);
    if (default_buffered_input < 0)
        return;
    sync_buffered_stream(default_buffered_input);
    script_at = lseek(default_buffered_input, 0, SEEK_CUR);
}

void
bash_renew(void)
{
    dollar_dollar_pid = getpid();
    shell_pgrp = getpgrp();
    last_made_pid = last_asynchronous_pid = (pid_t)-1;
    delete_all_jobs(0);
    set_ppid();
    seedrand();
    seedrand32();
    shell_start_time = time(NULL);
}

int
bash_reopen_script(void)
{
    char path[40];
    int fd, rc = 0;

    if (default_buffered_input < 0 || script_at < 0)
        return 0; /* bash -c; or a pipe, of which bash reads no byte too much */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", default_buffered_input);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (lseek(fd, script_at, SEEK_SET) < 0 || dup3(fd, default_buffered_input, O_CLOEXEC) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

void
bash_take_arguments(char *const *arguments)
{
    WORD_LIST *list = NULL;
    size_t n = 0;

    while (arguments[n] != NULL)
        n++;
    while (n > 0)
        list = make_word_list(make_word(arguments[--n]), list);
    remember_args(list, 1);
    dispose_words(list);
}

void
bash_hide_ignored(uint64_t ignored)
{
    for (int s = 1; s < NSIG; s++) {
        if (s <= 64 && (ignored >> (s - 1) & 1)) {
            signal(s, SIG_DFL);
            set_original_signal(s, SIG_DFL);
        }
    }
}

void
bash_take_signals(uint64_t ignored_at_start, const uint64_t *ignored)
{
    static const int always[] = {SIGINT, SIGPIPE};
    uint64_t now = ignored != NULL ? *ignored : ignored_at_start;

    for (size_t i = 0; i < array_len(always); i++)
        restore_default_signal(always[i]);
    for (int s = 1; s < NSIG && s <= 64; s++) {
        if ((now >> (s - 1) & 1) == 0)
            continue;
        restore_default_signal(s);
        signal(s, SIG_IGN);
        set_original_signal(s, SIG_IGN);
        set_signal_hard_ignored(s);
    }
}

void
bash_take_directory(void)
{
    char *directory = getcwd(NULL, 0);

    if (directory != NULL)
        set_working_directory(directory);
    free(directory);
    set_pwd();
}

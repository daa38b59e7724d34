/*
 * title.h - the command line that ps shows: the memory it was given at the start, so it may not
 * become longer.
 */
#ifndef GUESTS_TITLE_H
#define GUESTS_TITLE_H

#include "base/attr.h"

/* Find the memory; before the others, which otherwise do nothing.  words: NUL-separated, kept by
 * us. */
void title_find(void);
/* "SCRIPT [server]" */
void title_of_server(const char *script);
/* The words up to the script as they were, and these arguments. */
void title_of_call(const char *script, char *const *arguments);

#endif

/*
 * serve.h - the server: what a script's library executes beside the initialised interpreter.
 */
#ifndef INTERP_SERVE_H
#define INTERP_SERVE_H

/*
 * interp_serve - take over from the library.
 *
 *   control   socket to the interpreter, a child of ours that has told its pid; a SOCK_SEQPACKET
 * pair
 *
 * The exit code, when the server ends.
 */
int interp_serve(int control);

#endif

/*
 * fuzz.h - the one function of a fuzz target, as libFuzzer names it.
 *
 * It must not keep anything from one call to the next; what should never be, it ends by abort().
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif

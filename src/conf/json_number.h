/*
 * json_number.h - what a number's text says, without floating point: digits and a power of ten.
 */
#ifndef CONF_JSON_NUMBER_H
#define CONF_JSON_NUMBER_H

#include "base/slice.h"

/* text is a number of the JSON grammar with at most 19 digits before the exponent. */
bool json_number_fits(struct slice text); /* magnitude at most 2^63 */
bool json_number_is_integer(struct slice text);
int json_number_integer(struct slice text, int64_t *ret_value);
/* Times factor, away from zero. */
int json_number_scaled(struct slice text, int64_t factor, int64_t *ret_value);

#endif

/*
 * json_number.c - what a number's text says, without floating point.
 *
 *   "-12.50e3"  -->  minus, 125, 10^2        trailing zeros go to the power: an integer is >= 0
 *
 * Exact: a timeout of 0.1 s is 100 ms, and 2^63 is told from its neighbours.
 */
#include "conf/json_number.h"

#include <errno.h>

#define POWER_FAR 40 /* beyond what the numbers here can reach, either way */

struct decimal {
    bool negative;
    uint64_t digits;
    int power;
};

__extension__ typedef unsigned __int128 wide;

static int
clamp_power(int64_t power)
{
    return power > POWER_FAR ? POWER_FAR : power < -POWER_FAR ? -POWER_FAR : (int)power;
}

/* The digits after 'e', with their sign; what is far is all the same. */
static int64_t
read_exponent(struct slice text, size_t at)
{
    bool negative = false;
    int64_t value = 0;

    if (at < text.n && (text.p[at] == '+' || text.p[at] == '-'))
        negative = text.p[at++] == '-';
    for (; at < text.n && value < 1000000; at++)
        value = value * 10 + (text.p[at] - '0');
    return negative ? -value : value;
}

static struct decimal
read_decimal(struct slice text)
{
    struct decimal d = {.negative = text.n > 0 && text.p[0] == '-'};
    bool point = false;
    int64_t power = 0;

    for (size_t i = d.negative; i < text.n; i++) {
        char c = text.p[i];

        if (c == '.') {
            point = true;
        } else if (c == 'e' || c == 'E') {
            power += read_exponent(text, i + 1);
            break;
        } else {
            d.digits = d.digits * 10 + (uint64_t)(c - '0');
            power -= point;
        }
    }
    while (d.digits != 0 && d.digits % 10 == 0) {
        d.digits /= 10;
        power++;
    }
    d.power = d.digits == 0 ? 0 : clamp_power(power);
    return d;
}

/* limit + 1 stands for all that is more. */
static wide
multiply_up(wide value, int power, wide limit)
{
    while (power-- > 0 && value <= limit)
        value *= 10;
    return value > limit ? limit + 1 : value;
}

static int
to_int64(struct decimal d, wide magnitude, int64_t *ret_value)
{
    wide limit = (wide)INT64_MAX + (d.negative ? 1 : 0);

    if (magnitude > limit)
        return -ERANGE;
    *ret_value = d.negative ? (int64_t)(0 - (uint64_t)magnitude) : (int64_t)magnitude;
    return 0;
}

bool
json_number_fits(struct slice text)
{
    struct decimal d = read_decimal(text);
    wide limit = (wide)1 << 63;

    return d.power <= 0 || multiply_up(d.digits, d.power, limit) <= limit;
}

bool
json_number_is_integer(struct slice text)
{
    return read_decimal(text).power >= 0;
}

int
json_number_integer(struct slice text, int64_t *ret_value)
{
    struct decimal d = read_decimal(text);

    if (d.power < 0)
        return -EINVAL;
    return to_int64(d, multiply_up(d.digits, d.power, (wide)1 << 63), ret_value);
}

int
json_number_scaled(struct slice text, int64_t factor, int64_t *ret_value)
{
    struct decimal d = read_decimal(text);
    wide value = (wide)d.digits * (wide)factor;
    wide divisor = 1;

    if (d.power >= 0)
        return to_int64(d, multiply_up(value, d.power, (wide)1 << 63), ret_value);
    for (int power = d.power; power < 0 && divisor < value; power++)
        divisor *= 10;
    return to_int64(d, (value + divisor - 1) / divisor, ret_value);
}

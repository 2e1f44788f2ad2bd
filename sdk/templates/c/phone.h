/* What the node knows about phone numbers. It is plain C and asks nobody for anything, so that a test can run it. */
#ifndef PHONE_H
#define PHONE_H

#include <stdbool.h>
#include <stddef.h>

/* A plus, fifteen digits and a zero. */
#define PHONE_ROOM 17

/* Writes a number as `+420111222333`. False if the text is not one, or has no country of its own while `country`, its calling
 * code without a plus, is empty. */
bool phone_normalized(const char *text, const char *country, char number[PHONE_ROOM]);

#endif

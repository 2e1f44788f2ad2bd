/* What the node knows about phone numbers: see phone.h. */
#include "phone.h"

#include <string.h>

/* With the country, as the numbering plan E.164 has it. */
#define LEAST_DIGITS 8
#define MOST_DIGITS 15

static bool is_digit(char character) { return character >= '0' && character <= '9'; }

/* How many bytes here are there for the eye alone. */
static size_t decoration(const char *text) {
    if (*text != 0 && strchr(" \t-./()", *text) != NULL) return 1;
    /* A space that does not break, as word processors write it. */
    return strncmp(text, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

static bool put(char number[PHONE_ROOM], size_t *digits, char digit) {
    if (!is_digit(digit) || *digits == MOST_DIGITS) return false;
    number[1 + (*digits)++] = digit;
    return true;
}

bool phone_normalized(const char *text, const char *country, char number[PHONE_ROOM]) {
    size_t digits = 0, skipped;
    bool international = false, begun = false;
    number[0] = '+';
    while (*text != 0) {
        if (international && strncmp(text, "(0)", 3) == 0) {
            /* The zero that is dialled at home alone. */
            text += 3;
        } else if ((skipped = decoration(text)) > 0) {
            text += skipped;
        } else if (!begun && *text == '+') {
            begun = international = true;
            text++;
        } else if (!begun && strncmp(text, "00", 2) == 0) {
            begun = international = true;
            text += 2;
        } else if (!begun) {
            begun = true;
            if (*country == 0) return false;
            for (const char *digit = country; *digit != 0; digit++) {
                if (!put(number, &digits, *digit)) return false;
            }
            if (*text == '0') text++;
        } else {
            if (!put(number, &digits, *text++)) return false;
        }
    }
    number[1 + digits] = 0;
    return digits >= LEAST_DIGITS && number[1] != '0';
}

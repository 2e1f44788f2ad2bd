/* JSON without a library: a text is walked, and nothing is built of it.
 *
 * The program hands over JSON that it has read itself. Of anything else these functions find nothing, and they never look
 * behind the end of a text. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

/* A part of a text that belongs to somebody else; it does not end with a zero. */
struct json {
    const char *at;
    size_t length;
};

/* The value that an object has under a key; of several the last, as the program reads it. The key is shorter than 64
 * bytes. */
bool json_member(struct json object, const char *key, struct json *value);

/* The value at a place of an array, from 0; false behind the last. */
bool json_element(struct json array, size_t place, struct json *value);

/* The text that a JSON string stands for, as UTF-8, with a zero behind it: false if it is no string, has a zero in it, or is
 * longer than the room. */
bool json_text(struct json value, char *text, size_t room, size_t *length);

/* A new text: the object with this value, which is JSON, under this key. Null if it is no object or there is no memory. */
char *json_with(struct json object, const char *key, struct json value, size_t *length);

#endif

/* JSON without a library: see json.h. */
#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_KEY 64

/* Where a walk stands. Each step answers where it has come to, or null if that is no JSON. */
struct walk {
    const char *at;
    const char *end;
};

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end; at++) {
        if (*at == '"') return at + 1;
        if (*at == '\\') at++;
    }
    return NULL;
}

/* Counts brackets and does not go down into them, so that no text is too deep. */
static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        switch (*at) {
            case '"':
                at = skip_string(at, end);
                if (at == NULL || depth == 0) return at;
                break;
            case '{':
            case '[':
                depth++;
                at++;
                break;
            case '}':
            case ']':
                if (depth == 0) return at;
                depth--;
                at++;
                if (depth == 0) return at;
                break;
            case ',':
            case ' ':
            case '\t':
            case '\n':
            case '\r':
                if (depth == 0) return at;
                at++;
                break;
            default:
                at++;
        }
    }
    return depth == 0 ? at : NULL;
}

bool json_member(struct json object, const char *key, struct json *value) {
    const char *end = object.at + object.length;
    const char *at = skip_space(object.at, end);
    bool found = false;
    if (at == end || *at != '{') return false;
    at++;
    for (;;) {
        at = skip_space(at, end);
        if (at == end || *at != '"') return found;
        const char *name = at;
        at = skip_string(at, end);
        if (at == NULL) return false;
        char read[LONGEST_KEY];
        size_t length;
        struct json written = {name, (size_t)(at - name)};
        bool wanted = json_text(written, read, sizeof read, &length) && strcmp(read, key) == 0;
        at = skip_space(at, end);
        if (at == end || *at != ':') return false;
        at = skip_space(at + 1, end);
        const char *start = at;
        at = skip_value(at, end);
        if (at == NULL || at == start) return false;
        if (wanted) {
            *value = (struct json){start, (size_t)(at - start)};
            found = true;
        }
        at = skip_space(at, end);
        if (at == end || *at != ',') return found;
        at++;
    }
}

bool json_element(struct json array, size_t place, struct json *value) {
    const char *end = array.at + array.length;
    const char *at = skip_space(array.at, end);
    if (at == end || *at != '[') return false;
    for (;;) {
        at = skip_space(at + 1, end);
        const char *start = at;
        at = skip_value(at, end);
        if (at == NULL || at == start) return false;
        if (place == 0) {
            *value = (struct json){start, (size_t)(at - start)};
            return true;
        }
        place--;
        at = skip_space(at, end);
        if (at == end || *at != ',') return false;
    }
}

static bool read_unit(struct walk *walk, uint32_t *unit) {
    if (walk->end - walk->at < 4) return false;
    *unit = 0;
    for (int digits = 0; digits < 4; digits++) {
        char digit = *walk->at++;
        uint32_t worth;
        if (digit >= '0' && digit <= '9') worth = (uint32_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f') worth = (uint32_t)(digit - 'a') + 10;
        else if (digit >= 'A' && digit <= 'F') worth = (uint32_t)(digit - 'A') + 10;
        else return false;
        *unit = *unit * 16 + worth;
    }
    return true;
}

/* What stands behind `\u`; two of them can be one character. */
static bool read_character(struct walk *walk, uint32_t *character) {
    if (!read_unit(walk, character)) return false;
    if (*character < 0xd800 || *character > 0xdfff) return true;
    uint32_t low;
    if (*character > 0xdbff || walk->end - walk->at < 6 || walk->at[0] != '\\' || walk->at[1] != 'u') return false;
    walk->at += 2;
    if (!read_unit(walk, &low) || low < 0xdc00 || low > 0xdfff) return false;
    *character = 0x10000 + ((*character - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static size_t utf8(uint32_t character, char bytes[4]) {
    if (character < 0x80) {
        bytes[0] = (char)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const unsigned char first[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t index = length - 1; index > 0; index--) {
        bytes[index] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    bytes[0] = (char)(first[length] | character);
    return length;
}

bool json_text(struct json value, char *text, size_t room, size_t *length) {
    if (value.length < 2 || value.at[0] != '"' || value.at[value.length - 1] != '"') return false;
    struct walk walk = {value.at + 1, value.at + value.length - 1};
    *length = 0;
    while (walk.at < walk.end) {
        char bytes[4];
        size_t count = 1;
        bytes[0] = *walk.at++;
        if (bytes[0] == '\\') {
            static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
            if (walk.at == walk.end) return false;
            char letter = *walk.at++;
            const char *known = letter == 0 ? NULL : strchr(letters, letter);
            uint32_t character;
            if (known != NULL) bytes[0] = meant[known - letters];
            else if (letter == 'u' && read_character(&walk, &character)) count = utf8(character, bytes);
            else return false;
        }
        if (bytes[0] == 0 || room - *length <= count) return false;
        memcpy(text + *length, bytes, count);
        *length += count;
    }
    if (room == *length) return false;
    text[*length] = 0;
    return true;
}

char *json_with(struct json object, const char *key, struct json value, size_t *length) {
    const char *end = object.at + object.length;
    const char *start = skip_space(object.at, end);
    if (start == end || *start != '{') return NULL;
    struct json old;
    if (json_member(object, key, &old)) {
        size_t before = (size_t)(old.at - object.at), after = object.length - before - old.length;
        char *text = malloc(before + value.length + after);
        if (text == NULL) return NULL;
        memcpy(text, object.at, before);
        memcpy(text + before, value.at, value.length);
        memcpy(text + before + value.length, old.at + old.length, after);
        *length = before + value.length + after;
        return text;
    }
    const char *rest = skip_space(start + 1, end);
    if (rest == end) return NULL;
    bool empty = *rest == '}';
    size_t name = strlen(key), after = (size_t)(end - rest);
    /* { " key " : value , rest */
    char *text = malloc(1 + 1 + name + 1 + 1 + value.length + 1 + after);
    if (text == NULL) return NULL;
    char *at = text;
    *at++ = '{';
    *at++ = '"';
    memcpy(at, key, name);
    at += name;
    *at++ = '"';
    *at++ = ':';
    memcpy(at, value.at, value.length);
    at += value.length;
    if (!empty) *at++ = ',';
    memcpy(at, rest, after);
    *length = (size_t)(at - text) + after;
    return text;
}

/* What the node does, without a component: `sh build test`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "phone.h"

static int failures = 0;

#define EXPECT(condition, ...)                       \
    do {                                             \
        if (!(condition)) {                          \
            failures++;                              \
            printf("%s:%d: ", __FILE__, __LINE__);   \
            printf(__VA_ARGS__);                     \
            printf("\n");                            \
        }                                            \
    } while (0)

/* In memory of just this size, so that a sanitizer sees whoever looks further. */
static struct json heap(const char *text) {
    struct json json = {NULL, strlen(text)};
    char *at = malloc(json.length + 1);
    if (at == NULL) exit(2);
    memmove(at + 1, text, json.length);
    json.at = at + 1;
    return json;
}

static void let_go(struct json json) { free((char *)json.at - 1); }

static void numbers_are_read_as_everybody_dials_them(void) {
    static const struct {
        const char *text, *country, *number;
    } cases[] = {
        {"+420 111 222 333", "", "+420111222333"},
        {"00420 111-222-333", "", "+420111222333"},
        {"(0420) 111.222", "49", "+49420111222"},
        {"111 222 333", "420", "+420111222333"},
        {"+44 (0)20 7946 0958", "420", "+442079460958"},
        {"+420\xc2\xa0"
         "111222333",
         "", "+420111222333"},
        {"111 222 333", "", NULL},
        {"", "420", NULL},
        {"+", "420", NULL},
        {"+420 111", "", NULL},
        {"+0420111222333", "", NULL},
        {"+4201112223334445556667", "", NULL},
        {"+420 111 222 333 ext. 5", "", NULL},
        {"111 222 333", "CZ", NULL},
        {"call me", "420", NULL},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        char number[PHONE_ROOM] = "";
        bool read = phone_normalized(cases[index].text, cases[index].country, number);
        EXPECT(read == (cases[index].number != NULL), "%s: %d", cases[index].text, read);
        EXPECT(!read || strcmp(number, cases[index].number) == 0, "%s: %s", cases[index].text, number);
    }
}

static void a_value_is_found_under_its_key(void) {
    static const struct {
        const char *object, *key, *value;
    } cases[] = {
        {"{\"a\":1,\"b\":{\"a\":2}}", "a", "1"},
        {" { \"x\" : [ {\"a\":3}, \"}\" ] , \"a\" : \"]\" } ", "a", "\"]\""},
        {"{\"b\":\"\\\"a\\\":7\",\"a\":null}", "a", "null"},
        {"{\"\\u0061\":5}", "a", "5"},
        {"{\"a\":1,\"a\":2}", "a", "2"},
        {"{}", "a", NULL},
        {"[\"a\",1]", "a", NULL},
        {"", "a", NULL},
        {"{\"a\":", "a", NULL},
        {"{\"a", "a", NULL},
        {"{\"a\\", "a", NULL},
        {"{\"a\":[[", "a", NULL},
        {"{\"b\":\"", "a", NULL},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        struct json object = heap(cases[index].object), value = {"", 0};
        const char *expected = cases[index].value;
        bool found = json_member(object, cases[index].key, &value);
        EXPECT(found == (expected != NULL), "%s: %d", cases[index].object, found);
        bool same = expected != NULL && value.length == strlen(expected) && memcmp(value.at, expected, value.length) == 0;
        EXPECT(!found || same, "%s: %.*s", cases[index].object, (int)value.length, value.at);
        let_go(object);
    }
}

static void a_value_is_found_at_its_place(void) {
    static const struct {
        const char *array, *value;
        size_t place;
    } cases[] = {
        {"[1,{\"a\":[2,3]},\"],\"]", "1", 0},
        {"[1,{\"a\":[2,3]},\"],\"]", "{\"a\":[2,3]}", 1},
        {" [ 1 , 2 , \"],\" ] ", "\"],\"", 2},
        {"[1,2]", NULL, 2},
        {"[]", NULL, 0},
        {"{\"a\":1}", NULL, 0},
        {"", NULL, 0},
        {"[", NULL, 0},
        {"[1,", NULL, 1},
        {"[[", NULL, 0},
        {"[\"", NULL, 0},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        struct json array = heap(cases[index].array), value = {"", 0};
        const char *expected = cases[index].value;
        bool found = json_element(array, cases[index].place, &value);
        EXPECT(found == (expected != NULL), "%s: %d", cases[index].array, found);
        bool same = expected != NULL && value.length == strlen(expected) && memcmp(value.at, expected, value.length) == 0;
        EXPECT(!found || same, "%s: %.*s", cases[index].array, (int)value.length, value.at);
        let_go(array);
    }
}

static void a_string_is_read_as_what_it_stands_for(void) {
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"\"+420 \\\"1\\\" \\u00e1\\ud83d\\ude00\\/\"", "+420 \"1\" \xc3\xa1\xf0\x9f\x98\x80/"},
        {"\"1234567890123456789012345678901\"", "1234567890123456789012345678901"},
        {"\"12345678901234567890123456789012\"", NULL},
        {"\"\\ud83d\"", NULL},
        {"\"\\u00\"", NULL},
        {"\"\\u0000\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\\"", NULL},
        {"\"", NULL},
        {"12", NULL},
        {"", NULL},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        struct json value = heap(cases[index].value);
        char text[32];
        size_t length;
        bool read = json_text(value, text, sizeof text, &length);
        EXPECT(read == (cases[index].text != NULL), "%s: %d", cases[index].value, read);
        EXPECT(!read || (strcmp(text, cases[index].text) == 0 && strlen(text) == length), "%s", cases[index].value);
        let_go(value);
    }
}

static void a_part_is_put_in_or_put_anew(void) {
    static const struct {
        const char *object, *changed;
    } cases[] = {
        {"{}", "{\"a\":9}"},
        {" { \"b\":1}", "{\"a\":9,\"b\":1}"},
        {"{\"b\":1,\"a\":\"old\",\"c\":2}", "{\"b\":1,\"a\":9,\"c\":2}"},
        {"[]", NULL},
        {"{", NULL},
        {"", NULL},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        struct json object = heap(cases[index].object);
        const char *expected = cases[index].changed;
        size_t length = 0;
        char *changed = json_with(object, "a", (struct json){"9", 1}, &length);
        bool same = expected != NULL && changed != NULL && length == strlen(expected) && memcmp(changed, expected, length) == 0;
        EXPECT(same || (expected == NULL && changed == NULL), "%s: %.*s", cases[index].object, (int)length,
               changed == NULL ? "" : changed);
        free(changed);
        let_go(object);
    }
}

int main(void) {
    numbers_are_read_as_everybody_dials_them();
    a_value_is_found_under_its_key();
    a_value_is_found_at_its_place();
    a_string_is_read_as_what_it_stands_for();
    a_part_is_put_in_or_put_anew();
    if (failures == 0) printf("all is well\n");
    return failures == 0 ? 0 : 1;
}

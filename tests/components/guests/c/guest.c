/* A guest in C that does what the `mode` of its message says: the one honest thing, and whatever a component must not get away
 * with. It is built from the parts of the template in sdk/templates/c. */
#include <stdlib.h>
#include <string.h>

#include "bindings/node.h"
#include "json.h"
#include "phone.h"

#define LONGEST_VALUE 256
/* A body is no longer than four of these. */
#define MEGABYTE ((size_t)1 << 20)

typedef exports_pairline_node_action_message_t message_t;
typedef exports_pairline_node_action_answer_t answer_t;
typedef exports_pairline_node_action_failure_t failure_t;

static const char DESCRIPTION[] = "{\"kind\":\"c\",\"about\":\"Does what the mode of its message says.\","
                                  "\"routes\":[{\"name\":\"done\",\"default\":\"end\"}]}";

/* The compiler takes a loop that does nothing for one that ends. */
static volatile int seen;

static struct json slice(const node_string_t *text) { return (struct json){(const char *)text->ptr, text->len}; }

static bool failed(failure_t *failure, const char *reason) {
    failure->code = 3;
    node_string_dup(&failure->reason, reason);
    failure->detail.is_some = false;
    return false;
}

/* A text of the body; empty if there is none. */
static const char *named(struct json body, const char *key, char text[LONGEST_VALUE]) {
    struct json value;
    size_t length;
    if (!json_member(body, key, &value) || !json_text(value, text, LONGEST_VALUE, &length)) text[0] = 0;
    return text;
}

/* The body with one part more. */
static void put(message_t *message, const char *key, struct json value) {
    size_t length;
    char *text = json_with(slice(&message->body), key, value, &length);
    if (text == NULL) abort();
    node_string_free(&message->body);
    message->body = (node_string_t){(uint8_t *)text, length};
}

static void replace(message_t *message, char *text, size_t length) {
    node_string_free(&message->body);
    message->body = (node_string_t){(uint8_t *)text, length};
}

static void never_ends(void) {
    for (;;) seen++;
}

/* Takes all the memory there is, and writes to it. */
static void takes_memory(void) {
    for (;;) {
        char *block = malloc(MEGABYTE);
        if (block == NULL) abort();
        memset(block, 1, MEGABYTE);
        seen += block[seen & 1];
    }
}

static int calls_itself(int depth) {
    seen = depth;
    return calls_itself(depth + 1) + seen;
}

static void gives_up(void) {
    node_string_t words;
    node_string_set(&words, "the guest gives up");
    pairline_node_log_write(1, &words);
    __builtin_trap();
}

static void answers_too_much(message_t *message) {
    size_t length = 5 * MEGABYTE;
    char *text = malloc(length);
    if (text == NULL) abort();
    memset(text, 'x', length);
    text[0] = text[length - 1] = '"';
    replace(message, text, length);
}

static void answers_too_many_headers(message_t *message) {
    size_t count = 101;
    node_list_tuple2_string_string_free(&message->headers);
    message->headers.ptr = malloc(count * sizeof *message->headers.ptr);
    if (message->headers.ptr == NULL) abort();
    message->headers.len = count;
    for (size_t index = 0; index < count; index++) {
        char name[] = {(char)('a' + index / 26), (char)('a' + index % 26), 0};
        node_string_dup(&message->headers.ptr[index].f0, name);
        node_string_dup(&message->headers.ptr[index].f1, "x");
    }
}

static void answers_no_json(message_t *message) {
    node_string_t text;
    node_string_dup(&text, "{\"mode\":");
    replace(message, (char *)text.ptr, text.len);
}

/* Asks for the secret of that name, and shows it. */
static bool asks_for_a_secret(message_t *message, failure_t *failure) {
    char name[LONGEST_VALUE], quoted[LONGEST_VALUE];
    node_string_t asked, secret;
    node_string_set(&asked, named(slice(&message->body), "name", name));
    if (!pairline_node_secrets_get(&asked, &secret, failure)) return false;
    if (secret.len > LONGEST_VALUE - 2) abort();
    quoted[0] = '"';
    memcpy(quoted + 1, secret.ptr, secret.len);
    quoted[secret.len + 1] = '"';
    put(message, "secret", (struct json){quoted, secret.len + 2});
    node_string_free(&secret);
    return true;
}

static bool looks_up(message_t *message, failure_t *failure) {
    char system[LONGEST_VALUE], id[LONGEST_VALUE], target[LONGEST_VALUE];
    node_string_t asked[3], found;
    node_string_set(&asked[0], named(slice(&message->body), "system", system));
    node_string_set(&asked[1], named(slice(&message->body), "id", id));
    node_string_set(&asked[2], named(slice(&message->body), "target", target));
    if (!pairline_node_pairs_look(&asked[0], &asked[1], &asked[2], &found, failure)) return false;
    put(message, "found", slice(&found));
    node_string_free(&found);
    return true;
}

static bool normalizes(message_t *message, failure_t *failure) {
    char phone[LONGEST_VALUE], country[LONGEST_VALUE], quoted[PHONE_ROOM + 2];
    named(slice(&message->body), "phone", phone);
    named(slice(&message->body), "country", country);
    if (!phone_normalized(phone, country, quoted + 1)) return failed(failure, "there is no number that can be read");
    size_t length = strlen(quoted + 1) + 2;
    quoted[0] = quoted[length - 1] = '"';
    put(message, "phone", (struct json){quoted, length});
    return true;
}

void exports_pairline_node_action_describe(node_string_t *description) { node_string_dup(description, DESCRIPTION); }

bool exports_pairline_node_action_process(message_t *message, answer_t *answer, failure_t *failure) {
    char mode[LONGEST_VALUE];
    const char *route = "done";
    bool well = true;
    named(slice(&message->body), "mode", mode);
    if (strcmp(mode, "echo") == 0) {
    } else if (strcmp(mode, "loop") == 0) never_ends();
    else if (strcmp(mode, "memory") == 0) takes_memory();
    else if (strcmp(mode, "recursion") == 0) seen = calls_itself(0);
    else if (strcmp(mode, "trap") == 0) gives_up();
    else if (strcmp(mode, "huge") == 0) answers_too_much(message);
    else if (strcmp(mode, "headers") == 0) answers_too_many_headers(message);
    else if (strcmp(mode, "malformed") == 0) answers_no_json(message);
    else if (strcmp(mode, "route") == 0) route = "nowhere";
    else if (strcmp(mode, "secret") == 0) well = asks_for_a_secret(message, failure);
    else if (strcmp(mode, "lookup") == 0) well = looks_up(message, failure);
    else if (strcmp(mode, "normalize") == 0) well = normalizes(message, failure);
    else well = failed(failure, "the guest does not know this mode");
    if (!well) {
        exports_pairline_node_action_message_free(message);
        return false;
    }
    answer->message = *message;
    answer->route.is_some = true;
    node_string_dup(&answer->route.val, route);
    answer->end.is_some = false;
    return true;
}

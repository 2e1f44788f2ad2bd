/* The node `node-name`: reads the phone number of a record, and hands it on as everybody dials it.
 *
 * The record itself stays as it is: the other topology of the pair reads it too, and would take a changed value for an edit.
 * The number is a part of the message, `phone`, beside the record. */
#include <stdlib.h>
#include <string.h>

#include "bindings/node.h"
#include "json.h"
#include "phone.h"

/* Values that are longer than this are no phone numbers. */
#define LONGEST_VALUE 128

static const char DESCRIPTION[] =
    "{\"kind\":\"node-name\","
    "\"about\":\"Reads a phone number as everybody dials it.\","
    "\"routes\":["
    "{\"name\":\"readable\",\"about\":\"The number is in the message, under `phone`.\"},"
    "{\"name\":\"unreadable\",\"about\":\"There is no number, or none that can be read.\",\"default\":\"end\"}],"
    "\"settings\":["
    "{\"name\":\"field\",\"about\":\"The field with the number, as the system calls it.\",\"required\":true},"
    "{\"name\":\"country\",\"about\":\"The calling code of numbers without one: 420.\"}]}";

/* Why the node does not go on: with code 3 the message goes to the trash, with 1 it is looked at again. */
static bool failed(exports_pairline_node_action_failure_t *failure, uint32_t code, const char *reason) {
    failure->code = code;
    node_string_dup(&failure->reason, reason);
    failure->detail.is_some = false;
    return false;
}

/* One of the settings; empty if it is not there. */
static bool setting(struct json with, const char *name, char text[LONGEST_VALUE]) {
    struct json value;
    size_t length;
    text[0] = 0;
    return !json_member(with, name, &value) || json_text(value, text, LONGEST_VALUE, &length);
}

void exports_pairline_node_action_describe(node_string_t *description) { node_string_dup(description, DESCRIPTION); }

bool exports_pairline_node_action_process(exports_pairline_node_action_message_t *message,
                                          exports_pairline_node_action_answer_t *answer,
                                          exports_pairline_node_action_failure_t *failure) {
    char field[LONGEST_VALUE], country[LONGEST_VALUE], written[LONGEST_VALUE], quoted[PHONE_ROOM + 2];
    node_string_t settings;
    pairline_node_settings_get(&settings);
    struct json with = {(const char *)settings.ptr, settings.len};
    bool set = setting(with, "field", field) && setting(with, "country", country) &&
               strspn(country, "0123456789") == strlen(country);
    node_string_free(&settings);
    if (!set) {
        exports_pairline_node_action_message_free(message);
        return failed(failure, 3, "expected a text as the setting `field`, and digits as `country`");
    }

    struct json body = {(const char *)message->body.ptr, message->body.len}, record, fields, value;
    size_t length;
    bool readable = json_member(body, "record", &record) && json_member(record, "fields", &fields) &&
                    json_member(fields, field, &value) && json_text(value, written, sizeof written, &length) &&
                    phone_normalized(written, country, quoted + 1);
    if (readable) {
        quoted[0] = '"';
        length = strlen(quoted);
        quoted[length] = '"';
        char *text = json_with(body, "phone", (struct json){quoted, length + 1}, &length);
        if (text == NULL) {
            exports_pairline_node_action_message_free(message);
            return failed(failure, 1, "there is no memory for the answer");
        }
        node_string_free(&message->body);
        message->body = (node_string_t){(uint8_t *)text, length};
    }
    /* The message is ours, and goes on as the answer. */
    answer->message = *message;
    answer->route.is_some = true;
    node_string_dup(&answer->route.val, readable ? "readable" : "unreadable");
    answer->end.is_some = false;
    return true;
}

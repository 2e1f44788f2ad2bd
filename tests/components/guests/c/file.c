/* A guest in C that reads a file and would tell what is in it. wasi-libc asks WASI for the file, and there is none: no component
 * can be made of this. */
#include <stdio.h>

#include "bindings/node.h"

void exports_pairline_node_action_describe(node_string_t *description) {
    node_string_dup(description, "{\"kind\":\"c-file\",\"about\":\"Reads a file.\"}");
}

bool exports_pairline_node_action_process(exports_pairline_node_action_message_t *message,
                                          exports_pairline_node_action_answer_t *answer,
                                          exports_pairline_node_action_failure_t *failure) {
    char line[256] = "";
    FILE *file = fopen("/etc/passwd", "r");
    if (file != NULL && fgets(line, sizeof line, file) == NULL) line[0] = 0;
    exports_pairline_node_action_message_free(message);
    (void)answer;
    failure->code = 3;
    node_string_dup(&failure->reason, line);
    failure->detail.is_some = false;
    return false;
}

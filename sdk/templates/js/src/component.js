// Where the node meets the program. Whatever goes wrong behind here ends as an answer: what escapes would end the
// component, and with it the text of the error.

import { write } from "pairline:node/log@0.1.0";
import { get } from "pairline:node/settings@0.1.0";
import { AGAIN, Failure } from "./failure.js";
import { description, process } from "./node.js";
import { withParts } from "./parts.js";
import { ports } from "./ports.js";

const ERROR = 1;

export const action = {
  describe: () => JSON.stringify(description),

  process(message) {
    try {
      const { parts, route, end } = process(JSON.parse(message.body), JSON.parse(get()), ports);
      return { message: { body: withParts(message.body, parts), headers: message.headers }, route, end };
    } catch (error) {
      throw failureOf(error);
    }
  },
};

function failureOf(error) {
  if (error instanceof Failure) {
    const detail = error.afterMs === undefined ? undefined : JSON.stringify({ after_ms: error.afterMs });
    return { code: error.code, reason: error.message, detail };
  }
  // An import has failed, and says by itself what happens next.
  if (typeof error?.payload?.code === "number") return error.payload;
  write(ERROR, `${error}\n${error?.stack ?? ""}`);
  return { code: AGAIN, reason: `the node has a mistake in it: ${error}`, detail: undefined };
}

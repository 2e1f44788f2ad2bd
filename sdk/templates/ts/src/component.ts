// Where the node meets the program. Whatever goes wrong behind here ends as an answer: what escapes would end the
// component, and with it the text of the error.

import { write } from "pairline:node/log@0.1.0";
import { get } from "pairline:node/settings@0.1.0";
import { AGAIN, Failure } from "./failure.ts";
import type { Body, Result } from "./message.ts";
import { description, process, type Settings } from "./node.ts";
import { withParts } from "./parts.ts";
import { type Ports, ports } from "./ports.ts";

/** The records of the contract's `types`. */
interface Message {
  body: string;
  headers: [string, string][];
}
interface Answer {
  message: Message;
  route: string | undefined;
  end: string | undefined;
}
interface WitFailure {
  code: number;
  reason: string;
  detail: string | undefined;
}

const ERROR = 1;

/** A node that asks for nothing takes no ports. */
const work: (body: Body, settings: Settings, ports: Ports) => Result = process;

export const action = {
  describe: (): string => JSON.stringify(description),

  process(message: Message): Answer {
    try {
      const { parts, route, end } = work(JSON.parse(message.body), JSON.parse(get()), ports);
      return { message: { body: withParts(message.body, parts), headers: message.headers }, route, end };
    } catch (error) {
      throw failureOf(error);
    }
  },
};

function failureOf(error: unknown): WitFailure {
  if (error instanceof Failure) {
    const detail = error.afterMs === undefined ? undefined : JSON.stringify({ after_ms: error.afterMs });
    return { code: error.code, reason: error.message, detail };
  }
  // An import has failed, and says by itself what happens next.
  const payload = (error as { payload?: WitFailure } | null)?.payload;
  if (typeof payload?.code === "number") return payload;
  write(ERROR, `${error}\n${error instanceof Error ? error.stack : ""}`);
  return { code: AGAIN, reason: `the node has a mistake in it: ${error}`, detail: undefined };
}

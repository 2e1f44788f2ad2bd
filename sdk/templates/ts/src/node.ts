// What the node does. Nothing here knows of WebAssembly, so that a test needs none.

import { Failure, TRASH } from "./failure.ts";
import type { Body, Contract, Description, Json, RecordId, Result } from "./message.ts";
import type { Ports } from "./ports.ts";

export interface Settings {
  field: string;
  country?: string;
}

export const description: Description = {
  kind: "node-name",
  about: "Reads a telephone number however it is spelled, and adds it in the one spelling that is the same everywhere.",
  settings: [
    { name: "field", about: "The field with the number, as the sync contract calls it.", kind: "field", required: true },
    { name: "country", about: "The calling code of a number that has none, such as `49`." },
  ],
  schema: {
    type: "object",
    properties: { field: { type: "string" }, country: { type: "string", pattern: "^[1-9][0-9]{0,2}$" } },
    required: ["field"],
    additionalProperties: false,
  },
};

/** E.164 has no longer number. No country has a shorter one with its code. */
const MOST_DIGITS = 15;
const FEWEST_DIGITS = 7;
/** What is dialled before a number inside its country, by calling code; a zero elsewhere. Italy's zero is part of the number. */
const TRUNK: { [country: string]: string } = { "1": "1", "7": "8", "36": "06", "39": "" };

/** Works on one message. */
export function process(body: Body, settings: Settings, ports: Ports): Result {
  const { id, fields } = recordOf(body);
  const name = nameOf(settings.field, id, ports.contract());
  const value = fields[name] ?? "";
  if (typeof value !== "string") throw unclear(id, settings.field, "is no text");
  if (value.trim() === "") return { parts: { phone: null } };
  const number = normalized(value, settings.country, (why) => unclear(id, settings.field, why));
  return { parts: { phone: { field: settings.field, number } } };
}

/** The number as `+` and digits. */
function normalized(value: string, country: string | undefined, unclear: (why: string) => Failure): string {
  const [number = "", extension] = value.trim().split(/\s*(?:ext\.?|x|#|;ext=)\s*/i, 2);
  if (extension !== undefined) throw unclear("has an extension, which the one spelling cannot hold");
  // `+44 (0)20`: the zero is dialled inside the country alone.
  const plain = number.replace(/^tel:/i, "").replace(/^((?:\+|00)[^(]*)\(0\)/, "$1").replace(/[\s().\/\-\u2010-\u2015]/g, "");
  const stray = plain.replace(/^\+/, "").replace(/[0-9]/g, "");
  if (stray !== "") throw unclear("holds something that is neither a digit nor between digits");
  let digits: string;
  if (plain.startsWith("+")) digits = plain.slice(1);
  else if (plain.startsWith("00")) digits = plain.slice(2);
  else if (country !== undefined) digits = country + withoutTrunk(plain, TRUNK[country] ?? "0");
  else throw unclear("begins with no calling code, and the setting `country` names none");
  if (digits.startsWith("0")) throw unclear("has a calling code that begins with a zero");
  if (digits.length < FEWEST_DIGITS) throw unclear(`has ${digits.length} digits, too few for a telephone number`);
  if (digits.length > MOST_DIGITS) throw unclear(`has ${digits.length} digits, too many for a telephone number`);
  return `+${digits}`;
}

function withoutTrunk(number: string, trunk: string): string {
  return number.startsWith(trunk) ? number.slice(trunk.length) : number;
}

function recordOf(body: Body): { id: RecordId; fields: { [name: string]: Json } } {
  // What a node before this one has put in is believed by nobody.
  const id: Partial<RecordId> | undefined = body?.hint?.record;
  const fields = body?.record?.fields;
  const isRecord = fields !== null && typeof fields === "object" && !Array.isArray(fields);
  if (typeof id?.system !== "string" || typeof id.id !== "string" || !isRecord) {
    throw new Failure(TRASH, "expected a record with its fields: the node belongs after one that reads the record");
  }
  return { id: { system: id.system, id: id.id }, fields };
}

/** What the system of the record calls the field. */
function nameOf(field: string, { system }: RecordId, contract: Contract): string {
  const names = contract.fields[field]?.in[system] ?? [];
  if (names.length !== 1 || names[0] === undefined) {
    throw new Failure(TRASH, `the contract has no field \`${field}\` that is one field in ${system}`);
  }
  return names[0];
}

/** Names the record and not the number: what is personal stays out of the log. */
function unclear({ system, id }: RecordId, field: string, why: string): Failure {
  return new Failure(TRASH, `${system}:${id}: \`${field}\` ${why}`);
}

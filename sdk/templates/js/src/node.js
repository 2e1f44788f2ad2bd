// What the node does. Nothing here knows of WebAssembly, so that a test needs none.

import { Failure, TRASH } from "./failure.js";

export const description = {
  kind: "node-name",
  about: "Tells leads that are worth a call from those that can wait.",
  routes: [
    { name: "hot", about: "Its score reaches the threshold." },
    { name: "cold", about: "It does not.", default: "end" },
  ],
  settings: [
    { name: "threshold", about: "The score from which a lead is hot, 0 to 100; 50 unless said.", kind: "number" },
  ],
  schema: {
    type: "object",
    properties: { threshold: { type: "integer", minimum: 0, maximum: 100 } },
    additionalProperties: false,
  },
};

const POINTS = { ownDomain: 40, phone: 25, company: 20, vat_id: 15 };
const FREE_MAIL = new Set(["gmail.com", "gmx.de", "hotmail.com", "outlook.com", "web.de", "yahoo.com"]);

/** Works on one message: its body and the `with` block of the topology. Answers its own parts of it and a route. */
export function process(body, settings) {
  const fields = fieldsOf(body);
  const threshold = settings.threshold ?? 50;
  const score = scoreOf(fields);
  return { parts: { lead: { score, threshold } }, route: score >= threshold ? "hot" : "cold" };
}

function scoreOf(fields) {
  let score = 0;
  const domain = text(fields.email).toLowerCase().split("@")[1];
  if (domain && !FREE_MAIL.has(domain)) score += POINTS.ownDomain;
  for (const name of ["phone", "company", "vat_id"]) {
    if (text(fields[name]) !== "") score += POINTS[name];
  }
  return score;
}

function fieldsOf(body) {
  const fields = body?.record?.fields;
  if (fields === null || typeof fields !== "object" || Array.isArray(fields)) {
    throw new Failure(TRASH, "expected a record with its fields: the node belongs after one that reads the record");
  }
  return fields;
}

/** What is no text counts as nothing there. */
function text(value) {
  return typeof value === "string" ? value.trim() : "";
}

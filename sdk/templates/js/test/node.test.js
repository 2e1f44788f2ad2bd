import assert from "node:assert/strict";
import { test } from "node:test";

import { TRASH } from "../src/failure.js";
import { description, process } from "../src/node.js";

const lead = (fields) => ({ hint: { record: { system: "crm", id: "101" } }, record: { id: "101", fields } });

test("a lead with a company's address and a phone number is hot", () => {
  const answer = process(lead({ email: "ada@analytical.example", phone: "+44 20 7946 0958" }), {});

  assert.equal(answer.route, "hot");
  assert.deepEqual(answer.body.lead, { score: 65, threshold: 50 });
});

test("an address that anybody can get counts for nothing", () => {
  assert.equal(process(lead({ email: "ada@GMail.com", phone: "+44 20 7946 0958" }), {}).route, "cold");
});

test("the threshold is the topology's", () => {
  const only = lead({ company: "Analytical Engines" });

  assert.equal(process(only, { threshold: 20 }).route, "hot");
  assert.equal(process(only, { threshold: 21 }).route, "cold");
});

test("the record itself stays as it is", () => {
  const body = lead({ email: " ada@analytical.example " });

  assert.deepEqual(process(body, {}).body.record, body.record);
});

test("fields of another type count for nothing", () => {
  assert.equal(process(lead({ email: 7, phone: { area: 20 }, company: null }), {}).body.lead.score, 0);
});

test("a message without a record goes to the trash", () => {
  for (const body of [{}, [], null, { record: null }, { record: { fields: "none" } }]) {
    assert.throws(() => process(body, {}), { code: TRASH, message: /expected a record/ });
  }
});

test("every route that is taken is described", () => {
  const names = description.routes.map((route) => route.name);

  assert.deepEqual(names, ["hot", "cold"]);
});

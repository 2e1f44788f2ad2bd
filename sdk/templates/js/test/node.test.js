import assert from "node:assert/strict";
import { test } from "node:test";

import { TRASH } from "../src/failure.js";
import { description, process } from "../src/node.js";
import { withParts } from "../src/parts.js";

const lead = (fields) => ({ hint: { record: { system: "crm", id: "101" } }, record: { id: "101", fields } });

test("a lead with a company's address and a phone number is hot", () => {
  const answer = process(lead({ email: "ada@analytical.example", phone: "+44 20 7946 0958" }), {});

  assert.equal(answer.route, "hot");
  assert.deepEqual(answer.parts.lead, { score: 65, threshold: 50 });
});

test("an address that anybody can get counts for nothing", () => {
  assert.equal(process(lead({ email: "ada@GMail.com", phone: "+44 20 7946 0958" }), {}).route, "cold");
});

test("the threshold is the topology's", () => {
  const only = lead({ company: "Analytical Engines" });

  assert.equal(process(only, { threshold: 20 }).route, "hot");
  assert.equal(process(only, { threshold: 21 }).route, "cold");
});

test("what is in the message already keeps its text, numbers that JavaScript would round included", () => {
  const body = '{"record":{"id":"101","fields":{"company":"}","no":12345678901234567890,"rate":1.0}}}';

  const text = withParts(body, process(JSON.parse(body), {}).parts);

  assert.equal(text, `${body.slice(0, -1)},"lead":{"score":20,"threshold":50}}`);
  assert.equal(withParts("{ }", { lead: 7 }), '{"lead":7}');
  assert.equal(withParts(body), body);
});

test("fields of another type count for nothing", () => {
  assert.equal(process(lead({ email: 7, phone: { area: 20 }, company: null }), {}).parts.lead.score, 0);
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

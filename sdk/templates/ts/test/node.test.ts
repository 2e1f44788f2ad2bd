import assert from "node:assert/strict";
import { test } from "node:test";

import { TRASH } from "../src/failure.ts";
import type { Body, Contract, Json } from "../src/message.ts";
import { process } from "../src/node.ts";
import { withParts } from "../src/parts.ts";

const contract: Contract = {
  contract: "contact",
  systems: ["crm", "erp"],
  fields: {
    phone: { owner: "shared", in: { crm: ["phone"], erp: ["tel"] } },
    name: { owner: "crm", in: { crm: ["firstname", "lastname"], erp: ["name"] } },
  },
};

const ports = { contract: () => contract };
const contact = (phone: Json): Body => ({
  hint: { record: { system: "crm", id: "101" } },
  record: { id: "101", fields: { phone } },
});
const ofCountry = (country?: string) => ({ field: "phone", ...(country === undefined ? {} : { country }) });
const numberOf = (phone: Json, country?: string) => process(contact(phone), ofCountry(country), ports).parts?.phone;

test("a number has one spelling", () => {
  for (const [phone, country] of [
    ["+442079460958"],
    ["+44 20 7946 0958"],
    ["+44 (0)20 7946-0958"],
    ["0044 20 7946 0958"],
    ["tel:+44-20-7946-0958"],
    ["020 7946 0958", "44"],
    ["(020) 7946.0958", "44"],
  ] as [string, string?][]) {
    assert.deepEqual(numberOf(phone, country), { field: "phone", number: "+442079460958" }, phone);
  }
});

test("what is dialled first inside a country is no part of the number, unless it is", () => {
  assert.deepEqual(numberOf("1 (202) 555-0123", "1"), numberOf("+1 202 555 0123"));
  assert.deepEqual(numberOf("06 698 12345", "39"), numberOf("+39 06 698 12345"));
});

test("what is already in that spelling stays as it is", () => {
  assert.deepEqual(numberOf("+12025550123", "44"), { field: "phone", number: "+12025550123" });
});

test("a record without a number is passed on", () => {
  for (const phone of ["", "  ", null]) assert.equal(numberOf(phone), null);
});

test("what cannot be a number goes to the trash, and the reason names the record and not the number", () => {
  for (const [phone, why] of [
    ["020 7946 0958", /no calling code/],
    ["+0 20 7946 0958", /begins with a zero/],
    ["+44 20", /4 digits, too few/],
    ["+44 20 7946 0958 0958 0958", /too many/],
    ["+44 20 7946 0958 ext. 12", /an extension/],
    ["call me", /neither a digit/],
    [442079460958, /is no text/],
  ] as [Json, RegExp][]) {
    assert.throws(
      () => numberOf(phone),
      (error: Error & { code: number }) =>
        error.code === TRASH && error.message.startsWith("crm:101: `phone` ") && why.test(error.message),
      String(phone),
    );
  }
});

test("what is in the message already keeps its text, numbers that JavaScript would round included", () => {
  const hint = '"hint":{"record":{"system":"crm","id":"101"}}';
  const body = `{${hint},"record":{"id":"101","fields":{"phone":"","name":"}","no":12345678901234567890,"rate":1.0}}}`;

  const text = withParts(body, process(JSON.parse(body), ofCountry(), ports).parts);

  assert.equal(text, `${body.slice(0, -1)},"phone":null}`);
  assert.equal(withParts("{ }", { phone: 7 }), '{"phone":7}');
  assert.equal(withParts(body), body);
});

test("a field that the contract does not know as one is told", () => {
  for (const field of ["name", "fax"]) {
    assert.throws(() => process(contact(""), { field }, ports), { code: TRASH, message: new RegExp(field) });
  }
});

test("a message without a record goes to the trash", () => {
  for (const body of [{}, [], null, { ...contact(""), record: null }, { ...contact(""), hint: { record: 7 } }]) {
    assert.throws(() => process(body as Body, ofCountry(), ports), { code: TRASH, message: /expected a record/ });
  }
});

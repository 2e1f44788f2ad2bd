import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from failure import TRASH, NodeFailure  # noqa: E402
from node import process  # noqa: E402
from parts import with_parts  # noqa: E402

CONTRACT = {
    "fields": {
        "email": {"in": {"crm": ["email"], "erp": ["email"]}},
        "vat_id": {"in": {"crm": ["vat_id"], "erp": ["tax.number"]}},
        "name": {"in": {"crm": ["firstname", "lastname"], "erp": ["name"]}},
    }
}
SETTINGS = {"application": "erp"}


class Ports:
    """An ERP and an id mapping in memory."""

    def __init__(self, records=None, mapping=None):
        self.records = records or {}
        self.mapping = mapping or {}

    def look(self, system, id, target):
        return self.mapping.get((system, id), {"answer": "missing"})

    def find(self, system, field, value):
        assert system == "erp"
        return [{"id": id, "fields": fields} for id, fields in self.records.items() if fields.get(field) == value]


def message(**fields):
    return {"hint": {"record": {"system": "crm", "id": "101"}}, "record": {"id": "101", "fields": fields}}


def pair_with(id):
    sides = [{"record": {"system": "crm", "id": "101"}}, {"record": {"system": "erp", "id": id}}]
    return {"answer": "found", "of": {"sides": sides}}


class NodeTest(unittest.TestCase):
    def route(self, ports, settings=SETTINGS, **fields):
        result = process(message(**fields), settings, CONTRACT, ports)
        return result.get("route"), result.get("parts", {}).get("match"), result.get("end")

    def test_one_record_with_the_address_is_found(self):
        ports = Ports({"7": {"email": "ada@example.com"}, "8": {"email": "bob@example.com"}})

        route, match, _ = self.route(ports, email=" Ada@example.com")

        self.assertEqual(route, "matched")
        self.assertEqual(match, {"record": {"system": "erp", "id": "7"}, "by": ["email"]})

    def test_a_vat_id_is_the_same_however_it_is_spelled(self):
        ports = Ports({"7": {"tax.number": "DE123456789"}})

        self.assertEqual(self.route(ports, vat_id="de 123 456.789")[0], "matched")

    def test_both_keys_may_lead_to_the_same_record(self):
        ports = Ports({"7": {"email": "ada@example.com", "tax.number": "DE1"}})

        self.assertEqual(self.route(ports, email="ada@example.com", vat_id="DE1")[1]["by"], ["email", "vat_id"])

    def test_of_two_none_is_picked(self):
        twice = Ports({"7": {"email": "ada@example.com"}, "8": {"email": "ada@example.com"}})
        apart = Ports({"7": {"email": "ada@example.com"}, "8": {"tax.number": "DE1"}})

        for ports in [twice, apart]:
            route, match, _ = self.route(ports, email="ada@example.com", vat_id="DE1")
            self.assertEqual((route, [record["id"] for record in match["records"]]), ("ambiguous", ["7", "8"]))

    def test_the_counterpart_of_another_record_is_not_taken(self):
        ports = Ports({"7": {"email": "ada@example.com"}}, {("erp", "7"): pair_with("7")})

        route, match, _ = self.route(ports, email="ada@example.com")

        self.assertEqual((route, match["taken"]), ("ambiguous", ["7"]))

    def test_a_search_that_finds_something_alike_has_found_nothing(self):
        ports = Ports()
        ports.find = lambda system, field, value: [{"id": "9", "fields": {"email": "ada@example.com.org"}}]

        self.assertEqual(self.route(ports, email="ada@example.com")[0], "none")

    def test_a_record_without_a_key_has_no_counterpart(self):
        ports = Ports({"7": {"email": ""}, "8": {"email": None}})

        for fields in [{}, {"email": "  "}, {"email": None}, {"email": 7}]:
            self.assertEqual(self.route(ports, **fields)[0], "none")

    def test_what_is_in_the_mapping_comes_first(self):
        mapping = {("crm", "101"): pair_with("8")}

        route, match, _ = self.route(Ports({"7": {"email": "a@b.c"}}, mapping), email="a@b.c")

        self.assertEqual((route, match["record"]["id"]), ("matched", "8"))

    def test_a_counterpart_under_way_is_left_to_the_node_that_creates(self):
        half_made = Ports({"7": {"email": "a@b.c"}}, {("crm", "101"): {"answer": "pending"}})

        self.assertEqual(self.route(half_made, email="a@b.c"), ("none", None, None))

    def test_a_record_whose_counterpart_is_gone_gets_no_other(self):
        route, _, end = self.route(Ports(mapping={("crm", "101"): {"answer": "inactive"}}), email="a@b.c")

        self.assertIsNone(route)
        self.assertIn("gone", end)

    def test_a_key_that_cannot_be_looked_for_is_told(self):
        for keys in ["name", "phone", ""]:
            with self.assertRaises(NodeFailure) as caught:
                self.route(Ports(), settings={**SETTINGS, "keys": keys}, email="a@b.c")
            self.assertEqual(caught.exception.code, TRASH)

    def test_what_is_in_the_message_already_keeps_its_text(self):
        body = '{"hint": {"record":{"system":"crm","id":"101"}}, "record":{"id":"101","fields":{"a":"}\\u00e9","b":1e2}}} '
        result = process(json.loads(body), SETTINGS, CONTRACT, Ports(mapping={("crm", "101"): pair_with("7")}))

        text = with_parts(body, result["parts"])

        self.assertTrue(text.startswith(body.rstrip()[:-1] + ',"match": {'), text)
        self.assertEqual(json.loads(text), {**json.loads(body), **result["parts"]})
        self.assertEqual(with_parts("{ }", {"match": 7}), '{"match": 7}')
        self.assertEqual(with_parts(body, {}), body)

    def test_a_message_without_a_record_goes_to_the_trash(self):
        for body in [{}, [], None, {"hint": None}, {**message(), "record": None}, {**message(), "record": {"fields": 7}}]:
            with self.assertRaises(NodeFailure) as caught:
                process(body, SETTINGS, CONTRACT, Ports())
            self.assertEqual(caught.exception.code, TRASH)


if __name__ == "__main__":
    unittest.main()

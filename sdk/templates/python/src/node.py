"""What the node does. Nothing here knows of WebAssembly, so that a test needs none."""

from typing import Any, Protocol

from failure import TRASH, NodeFailure
from parts import Result

DESCRIPTION = {
    "kind": "node-name",
    "about": "Looks for the counterpart of a record by what identifies a customer, and takes none when in doubt.",
    "routes": [
        {"name": "matched", "about": "There is one counterpart, and it stands in `match`."},
        {"name": "none", "about": "No record holds any of the keys, or its counterpart is being created."},
        {"name": "ambiguous", "about": "There are several, or it belongs to another record: a person decides."},
    ],
    "settings": [
        {"name": "application", "about": "Where the counterpart is looked for.", "kind": "target", "required": True},
        {"name": "keys", "about": "Fields of the contract, with commas between them; `email, vat_id` unless said."},
    ],
}

USUAL_KEYS = "email, vat_id"


class Ports(Protocol):
    """What the node may ask of the program."""

    def look(self, system: str, id: str, target: str) -> dict[str, Any]:
        """What stands in the id mapping for a record."""

    def find(self, system: str, field: str, value: str) -> list[dict[str, Any]]:
        """The records that hold this value in this field."""


def process(
    body: dict[str, Any], settings: dict[str, Any], contract: dict[str, Any], ports: Ports
) -> Result:
    """Works on one message. Answers its own parts of it, a route, or why the message ends here."""
    system, id, fields = _record_of(body)
    target = settings["application"]
    known = ports.look(system, id, target)
    if known["answer"] == "found":
        other = next(side["record"] for side in known["of"]["sides"] if side["record"]["system"] == target)
        return {"parts": {"match": {"record": other, "by": ["mapping"]}}, "route": "matched"}
    if known["answer"] == "pending":
        # `create` knows how far it is, and takes it up where it was left.
        return {"route": "none"}
    if known["answer"] == "inactive":
        return {"end": f"{system}:{id} had a counterpart that is gone: it gets no other"}

    found: dict[str, list[str]] = {}
    for key in _keys(settings, contract, system, target):
        value = fields.get(key.here)
        if isinstance(value, str) and _canonical(key.name, value):
            for other in _holders(ports, target, key, value):
                found.setdefault(other, []).append(key.name)
    if not found:
        return {"route": "none"}
    taken = [other for other in found if ports.look(target, other, system)["answer"] != "missing"]
    if len(found) > 1 or taken:
        records = [{"system": target, "id": other} for other in found]
        return {"parts": {"match": {"records": records, "taken": taken}}, "route": "ambiguous"}
    [(other, by)] = found.items()
    return {"parts": {"match": {"record": {"system": target, "id": other}, "by": by}}, "route": "matched"}


class _Key:
    """A field of the contract, and what it is called on either side."""

    def __init__(self, name: str, here: str, there: str):
        self.name = name
        self.here = here
        self.there = there


def _record_of(body: Any) -> tuple[str, str, dict[str, Any]]:
    try:
        record = body["hint"]["record"]
        system, id, fields = record["system"], record["id"], body["record"]["fields"]
    except (KeyError, TypeError, IndexError):
        raise NodeFailure(TRASH, "expected a record with its fields: the node belongs after one that reads it") from None
    if not (isinstance(system, str) and isinstance(id, str) and isinstance(fields, dict)):
        raise NodeFailure(TRASH, "expected the name of a system, the id of a record, and its fields")
    return system, id, fields


def _keys(settings: dict[str, Any], contract: dict[str, Any], system: str, target: str) -> list[_Key]:
    keys = []
    for name in (name.strip() for name in settings.get("keys", USUAL_KEYS).split(",")):
        places = contract["fields"].get(name, {}).get("in", {})
        here, there = places.get(system, []), places.get(target, [])
        # A value that is put together of several fields cannot be looked for.
        if len(here) != 1 or len(there) != 1:
            raise NodeFailure(TRASH, f"the contract has no field `{name}` that is one field in {system} and in {target}")
        keys.append(_Key(name, here[0], there[0]))
    return keys


def _holders(ports: Ports, target: str, key: _Key, value: str) -> list[str]:
    """The ids of the records that hold the value in this or another spelling, and no record that only looks like it."""
    wanted = _canonical(key.name, value)
    ids: list[str] = []
    for spelling in dict.fromkeys([value, value.strip(), wanted]):
        for record in ports.find(target, key.there, spelling):
            held = record["fields"].get(key.there)
            if isinstance(held, str) and _canonical(key.name, held) == wanted and record["id"] not in ids:
                ids.append(record["id"])
    return ids


def _canonical(name: str, value: str) -> str:
    """What is left of a value when its spelling is taken away: `DE 123.456.789` is `DE123456789`."""
    if "email" in name:
        return value.strip().lower()
    return "".join(c for c in value.upper() if c.isalnum())

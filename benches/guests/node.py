"""Puts the id that the record has in another system into the message, as the node in Rust does that it is compared with."""

from typing import Any, Protocol

from parts import Result

DESCRIPTION = {
    "kind": "counterpart",
    "about": "Puts the id that the record has in another system into the message.",
    "routes": [
        {"name": "found", "about": "The record has a counterpart."},
        {"name": "missing", "about": "It has none that is in use.", "default": "end"},
    ],
    "settings": [{"name": "target", "about": "Where its counterpart lives.", "kind": "target", "required": True}],
}


class Ports(Protocol):
    def counterpart(self, system: str, id: str, target: str) -> str | None: ...


def process(
    body: dict[str, Any], settings: dict[str, Any], contract: dict[str, Any], ports: Ports
) -> Result:
    record = body["hint"]["record"]
    counterpart = ports.counterpart(record["system"], record["id"], settings["target"])
    if counterpart is None:
        return {"route": "missing"}
    return {"parts": {"counterpart": counterpart}, "route": "found"}

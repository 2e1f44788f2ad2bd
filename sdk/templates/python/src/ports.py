"""What the node asks of the program beside its settings. What is imported here stands in `wit/world.wit`, too."""

import json
from typing import Any

from wit_world.imports import applications, pairs


class HostPorts:
    """The ports, with JSON on the other side."""

    def look(self, system: str, id: str, target: str) -> dict[str, Any]:
        return json.loads(pairs.look(system, id, target))

    def find(self, system: str, field: str, value: str) -> list[dict[str, Any]]:
        return json.loads(applications.find(system, field, value))

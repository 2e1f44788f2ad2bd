from wit_world.imports import pairs


class HostPorts:
    def counterpart(self, system: str, id: str, target: str) -> str | None:
        return pairs.counterpart(system, id, target)

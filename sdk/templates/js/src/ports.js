// What the node asks of the program beside its settings: nothing yet. What is imported here stands in `wit/world.wit`, too.

export const ports = {};

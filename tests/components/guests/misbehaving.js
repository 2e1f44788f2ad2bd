// In the place of a template's node: does what its body says.

import { get } from "pairline:node/secrets@0.1.0";

export const description = { kind: "misbehaving", about: "Does what its body says, the worst included." };

const deeds = {
  answer: () => ({ answered: true }),
  loop() {
    for (;;);
  },
  memory() {
    const held = [];
    for (;;) held.push(new Uint8Array(1 << 20).fill(1));
  },
  recursion() {
    const deeper = (depth) => 1 + deeper(depth + 1);
    return deeper(0);
  },
  error: careless,
  huge: () => ({ text: "x".repeat(5 << 20) }),
  secret: ({ name }) => ({ length: get(name).length }),
  file: ({ path }) => fetch(`file://${path}`),
  network: ({ url }) => fetch(url),
  world: () => ({ names: ["process", "require", "Deno", "Bun", "WebAssembly"].filter((name) => name in globalThis) }),
};

function careless() {
  throw new TypeError("nobody has thought of this");
}

export function process(body) {
  return { parts: deeds[body.deed](body) };
}

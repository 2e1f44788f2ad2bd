// Puts the id that the record has in another system into the message, as the node in Rust does that it is compared with.

export const description = {
  kind: "counterpart",
  about: "Puts the id that the record has in another system into the message.",
  routes: [
    { name: "found", about: "The record has a counterpart." },
    { name: "missing", about: "It has none that is in use.", default: "end" },
  ],
  settings: [{ name: "target", about: "Where its counterpart lives.", kind: "target", required: true }],
};

export function process(body, settings, ports) {
  const { system, id } = body.hint.record;
  const counterpart = ports.counterpart(system, id, settings.target);
  return counterpart === undefined ? { route: "missing" } : { parts: { counterpart }, route: "found" };
}

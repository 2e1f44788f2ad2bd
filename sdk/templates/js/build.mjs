// Makes the component.

import { writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
// In version 0.19.3: a message takes three times as long in a component of 0.23.0, and twenty times in one of 0.22.0. Send a
// few thousand through yours before you take another.
import { componentize } from "@bytecodealliance/componentize-js";

const FILE = "node-name.wasm";

const { component } = await componentize({
  sourcePath: "src/component.js",
  witPath: "wit",
  worldName: "component",
  // With any of these the component would ask for interfaces that no node gets.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
}).catch((error) => {
  const [, module] = /Error loading module "([^"]+)"/.exec(error.message) ?? [];
  if (!isBuiltin(module ?? "")) throw error;
  console.error(`\`${module}\` is part of Node.js, and a component has none of it: no files, no network, no processes.`);
  console.error("What a node may ask for instead stands in `wit/world.wit`.");
  process.exit(1);
});
await writeFile(FILE, component);
console.log(`${FILE} is written: ${component.length} bytes`);

// Makes the component.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const FILE = "node-name.wasm";

const { component } = await componentize({
  sourcePath: "src/component.js",
  witPath: "wit",
  worldName: "component",
  // With any of these the component would ask for interfaces that no node gets.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(FILE, component);
console.log(`${FILE} is written: ${component.length} bytes`);

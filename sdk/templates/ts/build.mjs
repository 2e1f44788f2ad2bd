// Makes the component: one JavaScript file of all of it, and of that the component.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";
import { build } from "esbuild";

const FILE = "node-name.wasm";
const BUNDLE = "build/component.js";

await build({
  entryPoints: ["src/component.ts"],
  outfile: BUNDLE,
  bundle: true,
  format: "esm",
  target: "es2022",
  external: ["pairline:*"],
});
const { component } = await componentize({
  sourcePath: BUNDLE,
  witPath: "wit",
  worldName: "component",
  // With any of these the component would ask for interfaces that no node gets.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(FILE, component);
console.log(`${FILE} is written: ${component.length} bytes`);

// Makes the component: one JavaScript file of all of it, and of that the component.

import { writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
// In version 0.19.3: a message takes three times as long in a component of 0.23.0, and twenty times in one of 0.22.0. Send a
// few thousand through yours before you take another.
import { componentize } from "@bytecodealliance/componentize-js";
import { build } from "esbuild";

const FILE = "node-name.wasm";
const BUNDLE = "build/component.js";

/** What Node.js has and a component has not, unless a package of that name is installed. */
const withoutNode = {
  name: "without-node",
  setup(build) {
    build.onResolve({ filter: /^[a-z]/ }, async ({ path, pluginData, ...how }) => {
      if (!isBuiltin(path) || pluginData === withoutNode) return undefined;
      const found = await build.resolve(path, { ...how, pluginData: withoutNode });
      if (found.errors.length === 0) return found;
      const text = `\`${path}\` is part of Node.js, and a component has none of it: no files, no network, no processes.`;
      return { errors: [{ text, notes: [{ text: "What a node may ask for instead stands in `wit/world.wit`." }] }] };
    });
  },
};

// What is wrong has been said when it fails.
await build({
  entryPoints: ["src/component.ts"],
  outfile: BUNDLE,
  bundle: true,
  format: "esm",
  target: "es2022",
  external: ["pairline:*"],
  plugins: [withoutNode],
}).catch(() => process.exit(1));
const { component } = await componentize({
  sourcePath: BUNDLE,
  witPath: "wit",
  worldName: "component",
  // With any of these the component would ask for interfaces that no node gets.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(FILE, component);
console.log(`${FILE} is written: ${component.length} bytes`);

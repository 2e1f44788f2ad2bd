// What the node asks of the program beside its settings. What is imported here stands in `wit/world.wit`, too.

import { contract } from "pairline:node/settings@0.1.0";
import type { Contract } from "./message.ts";

export const ports = {
  contract: (): Contract => JSON.parse(contract()),
};

export type Ports = typeof ports;

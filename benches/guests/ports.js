import { counterpart } from "pairline:node/pairs@0.1.0";

export const ports = { counterpart };

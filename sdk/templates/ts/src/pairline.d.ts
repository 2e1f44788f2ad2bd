// The contract of `wit/deps` as TypeScript sees it. What an interface does stands there. Every call that can fail throws what
// the program has to know; let it pass. What is not here by name crosses as JSON.

declare module "pairline:node/log@0.1.0" {
  export function write(level: number, text: string): void;
}

declare module "pairline:node/clock@0.1.0" {
  export function now(): bigint;
}

declare module "pairline:node/random@0.1.0" {
  export function bits(): bigint;
}

declare module "pairline:node/settings@0.1.0" {
  export function get(): string;
  export function contract(): string;
}

declare module "pairline:node/secrets@0.1.0" {
  export function get(name: string): string;
}

declare module "pairline:node/pairs@0.1.0" {
  export function look(system: string, id: string, target: string): string;
  export function counterpart(system: string, id: string, target: string): string | undefined;
  export function echo(system: string, id: string, facts: string): string;
  export function recent(pair: string, most: number): string;
}

declare module "pairline:node/applications@0.1.0" {
  export function profile(system: string): string;
  export function admit(system: string): void;
  export function admitCreate(system: string, sourceSystem: string, sourceId: string): void;
  export function read(system: string, id: string): string;
  export function find(system: string, field: string, value: string): string;
  export function glance(system: string, field: string, value: string, since: bigint): string;
}

declare module "pairline:node/ledger@0.1.0" {
  export function arrived(operation: string): void;
  export function adopt(adoption: string): string;
  export function reserve(create: string): string;
  export function begin(update: string, revision: bigint): string;
  export function settle(operation: string, outcome: string): string;
  export function resend(operation: string, again: string): string;
  export function persist(operation: string): string;
  export function rebase(rebase: string): boolean;
  export function deactivate(system: string, id: string): string;
  export function reactivate(system: string, id: string): string;
  export function openCase(case_: string): bigint;
}

declare module "pairline:node/writes@0.1.0" {
  export function render(system: string, write: string): string;
  export function send(operation: string): string;
}

declare module "pairline:node/http@0.1.0" {
  export interface Request {
    method: string;
    url: string;
    headers: [string, string][];
    body: Uint8Array;
  }
  export interface Response {
    status: number;
    headers: [string, string][];
    body: Uint8Array;
  }
  export function send(request: Request): Response;
}

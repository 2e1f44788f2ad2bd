// What the engine has beside the language itself, and a node has a use for: the bytes of a request and of its answer.

declare class TextEncoder {
  encode(text?: string): Uint8Array;
}

declare class TextDecoder {
  constructor(label?: "utf-8", options?: { fatal?: boolean });
  decode(bytes?: Uint8Array): string;
}

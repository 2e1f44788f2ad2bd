// What a node sees: the body of a message, and the sync contract of its topology.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface RecordId {
  system: string;
  id: string;
}

/** What the shipped nodes put into a message. Which parts are there depends on the nodes before this one. */
export interface Body {
  /** What the topology starts from. */
  hint?: { record: RecordId };
  /** The record as it was read: a value in it may be read and not changed. */
  record?: { id: string; version?: string | null; fields: { [name: string]: Json } };
  /** Parts of other nodes. */
  [part: string]: unknown;
}

/** The sync contract, in the shape of its file. */
export interface Contract {
  contract: string;
  systems: string[];
  fields: {
    [name: string]: {
      owner: string;
      /** What the field is called in each system; several names are one value, joined. */
      in: { [system: string]: string[] };
    };
  };
}

/** Parts of a message, by their names. */
export interface Parts {
  [part: string]: Json;
}

/** What the node has made of a message. */
export interface Result {
  /** What it adds. All else goes on as it came. */
  parts?: Parts;
  /** One of the routes that the node describes; without it every follower gets the message. */
  route?: string;
  /** Ends the message here: one line about why. */
  end?: string;
}

/** What the node says of itself. */
export interface Description {
  kind: string;
  about: string;
  routes?: { name: string; about: string; default?: "end" | "repeat" }[];
  settings?: {
    name: string;
    about: string;
    kind?: "text" | "number" | "flag" | "application" | "source" | "target" | "field" | "inverse-field";
    required?: boolean;
  }[];
  /** A JSON Schema of the settings. */
  schema?: object;
}

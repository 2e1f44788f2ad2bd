import type { Parts } from "./message.ts";

/**
 * The text of a message's body with these parts. What is in it already keeps its text: JavaScript rounds numbers of more than
 * 15 digits when it reads them, and whoever comes next would take that for an edit. Of two parts with one name the program
 * takes the last.
 */
export function withParts(text: string, parts: Parts = {}): string {
  const added = JSON.stringify(parts).slice(1, -1);
  if (added === "") return text;
  const kept = text.slice(0, text.lastIndexOf("}")).trimEnd();
  return `${kept}${kept.endsWith("{") ? "" : ","}${added}}`;
}

// What records are called, asked once.
import { t } from "../texts";
import { verb } from "./api";
import { app } from "./app.svelte";
import type { RecordHead } from "./types";

const held = new Map<string, Promise<string>>();

export function titleOf(id: string): Promise<string> {
  let found = held.get(id);
  if (!found) {
    found = verb<{ title?: string; text?: string }>("get", { id }, app.scope).then(
      (record) => record.title || shortened(record.text ?? "") || t.browse.untitled,
      () => t.browse.untitled,
    );
    held.set(id, found);
  }
  return found;
}

// The name of a session, unless this page made it up.
export function nameOf(conversation: RecordHead): string {
  return conversation.key?.startsWith("page-") ? "" : (conversation.key ?? "");
}

// Two addresses without the folders that both lie in.
export function apart(one: string, other: string): [string, string] {
  let same = 0;
  for (let at = 0; at < one.length && one[at] === other[at]; at++) if (one[at] === "/") same = at + 1;
  return [one.slice(same), other.slice(same)];
}

export function shortened(text: string, most = 60): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}

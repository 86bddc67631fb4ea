// What one can do with something stored.
import { ask, verb } from "./api";
import type { Doc, Receipt, RecordHead, Scope, Statement, Turn } from "./types";

export const PIN = "wants to be kept in mind";
export const DIGESTER = "rules";

// A record is changed in exactly its own scope.
export function own(record: { scope: Scope }): Scope {
  return record.scope;
}

export const get = (id: string, scope: Scope, as_of?: string): Promise<Doc & Turn & Statement> =>
  verb("get", { id, ...(as_of ? { as_of } : {}) }, scope);

export const forget = (record: RecordHead): Promise<Receipt> => verb("forget", { ids: [record.id] }, own(record));

export const pins = async (scope: Scope): Promise<Statement[]> =>
  (await verb<Statement[]>("statements/list", { subject: "user" }, scope)).filter((one) => one.attribute === PIN);

export const pin = (text: string, sources: string[], scope: Scope): Promise<Statement> =>
  verb("statements/add", { subject: "user", attribute: PIN, value: text, text, sort: "instruction", several: true, sources }, scope);

export const undo = (one: Statement): Promise<unknown> => verb("statements/undo", { id: one.id }, own(one));

export const ends = (one: Statement): Promise<Statement> =>
  verb("statements/add", { subject: one.subject, attribute: one.attribute, value: one.value, ended: true }, own(one));

export const states = (one: Statement, value: string): Promise<Statement> =>
  verb("statements/add", { subject: one.subject, attribute: one.attribute, value, sort: one.sort }, own(one));

export const rewrites = (one: Doc, text: string): Promise<Doc> =>
  verb("update", { id: one.id, text, if_version: one.version }, own(one));

// A turn is not rewritten: it is taken out of use, and what is right is remembered in its place.
export async function restates(one: Turn, text: string, session: string): Promise<void> {
  await verb("remember", { messages: [{ role: one.role, content: text }] }, { ...own(one), session });
  await verb("delete", { id: one.id }, own(one));
}

export const digest = (scope: Scope): Promise<unknown> => verb("statements/digest", { digester: DIGESTER }, scope);

// What an exchange was shown is credited by how it turned out.
export async function report(exchange: string, thumb: "up" | "down", scope: Scope): Promise<{ memories: string[]; lessons: string[] }> {
  const answer = await ask(`/v1/exchanges/${encodeURIComponent(exchange)}/outcome`, {
    method: "POST",
    scope,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ thumb }),
  });
  return (await answer.json()) as { memories: string[]; lessons: string[] };
}

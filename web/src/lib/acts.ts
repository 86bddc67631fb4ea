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

export const isOver = (one: Statement, at = Date.now()): boolean => one.valid_to !== null && Date.parse(one.valid_to) <= at;

// Brings back what held before.
export type Undo = () => Promise<unknown>;

const historyOf = (one: Statement): Promise<Statement[]> => verb("statements/history", { of: one.id }, own(one));

const end = (one: Statement): Promise<Statement> =>
  verb("statements/add", { subject: one.subject, attribute: one.attribute, value: one.value, ended: true, several: one.is_member }, own(one));

// Take back what is stated since, the last first.
async function withdraw(stated: Statement[], before: Statement[]): Promise<void> {
  const known = new Set(before.map((one) => one.id)); // stating the same again makes no second record
  for (const one of stated.toReversed()) if (!known.has(one.id)) await undo(one);
}

export async function ends(one: Statement): Promise<Undo> {
  const before = await historyOf(one);
  const ended = await end(one);
  return () => withdraw([ended], before);
}

// State what holds now. Of several values a new one ends none, so the old one is ended first.
export async function states(one: Statement, value: string): Promise<Undo> {
  const before = await historyOf(one);
  const several = before.some((it) => it.is_member);
  const stated: Statement[] = [];
  try {
    if (several && one.polarity === "holds" && !isOver(one)) stated.push(await end(one));
    stated.push(await verb<Statement>("statements/add", { subject: one.subject, attribute: one.attribute, value, sort: one.sort, several }, own(one)));
  } catch (error) {
    await withdraw(stated, before);
    throw error;
  }
  return () => withdraw(stated, before);
}

// Take back what was stated by hand.
export async function withdraws(one: Statement): Promise<Undo> {
  await undo(one);
  const { subject, attribute, value, text, sort, since, until, said_at, sources } = one;
  const said = { subject, attribute, value, text, sort, since, until, said_at, sources, ended: one.polarity === "ended", several: one.is_member };
  return () => verb("statements/add", said, own(one));
}

export async function rewrites(one: Doc, text: string): Promise<Undo> {
  const now = await verb<Doc>("update", { id: one.id, text, if_version: one.version }, own(one));
  return () => verb("update", { id: one.id, text: one.text, if_version: now.version }, own(one));
}

// A turn is not rewritten: what is right takes its place, and is read for what it states.
export async function restates(one: Turn, text: string): Promise<Undo> {
  const now = await inPlaceOf(one, text);
  return () => inPlaceOf(now, one.text);
}

async function inPlaceOf(one: Turn, text: string): Promise<Turn> {
  const now = await verb<Turn>("conversations/correct", { turn: one.id, text }, own(one));
  await digest(own(one));
  return now;
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

// How the page asks: the verbs of a memory, the proxy, and a few routes of its own.
import { t } from "../texts";
import type { Scope } from "./types";

const KEY = "agentcl.key";

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
  ) {
    super(detail);
  }
}

export function heldKey(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

let locked = (): void => undefined;

// Be told when a key is asked for, at the beginning or because the one that was held opens nothing any more.
export function whenLocked(tell: () => void): void {
  locked = tell;
}

export function holdKey(key: string): void {
  sessionStorage.setItem(KEY, key);
}

// A header holds bytes: what is beyond Latin-1 goes as UTF-8.
function bytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

export function headersOf(scope: Scope): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(scope)) if (value) headers[`x-agentcl-${name}`] = bytes(value);
  const key = heldKey();
  if (key) headers["x-agentcl-key"] = bytes(key);
  return headers;
}

export async function ask(path: string, options: RequestInit & { scope?: Scope } = {}): Promise<Response> {
  const { scope = {}, headers, ...rest } = options;
  let answer: Response;
  try {
    answer = await fetch(path, { ...rest, headers: { ...headersOf(scope), ...(headers as Record<string, string>) } });
  } catch (error) {
    if (rest.signal?.aborted) throw error;
    throw new Problem(0, "Away", t.problem.away);
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text();
  try {
    const told = JSON.parse(text);
    if (told.title === "KeyNeeded") locked(); // a model behind the server may refuse a key of its own
    const detail = told.detail ?? told.error?.message ?? told.message;
    return new Problem(answer.status, String(told.title ?? "Problem"), String(detail ?? text));
  } catch {
    // The page of some gateway tells a reader nothing.
    const isMarkup = text.trimStart().startsWith("<");
    return new Problem(answer.status, "Problem", (!isMarkup && text.slice(0, 300)) || t.problem.garbled(answer.status));
  }
}

// Call a verb of the memory or of one of its rooms: `verb("statements/list", {...}, scope)`.
export async function verb<T>(name: string, args: Record<string, unknown> = {}, scope: Scope = {}): Promise<T> {
  const answer = await ask(`/v1/memory/${name}`, {
    method: "POST",
    scope,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(args),
  });
  return (await answer.json()) as T;
}

export async function read<T>(path: string, query: Record<string, string | number | undefined>, scope: Scope = {}): Promise<T> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return (await (await ask(`${path}?${search}`, { scope })).json()) as T;
}

// Yield the data of server-sent events as they come.
export async function* events(answer: Response): AsyncGenerator<string> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      held += value;
      const blocks = held.split(/\r?\n\r?\n/);
      held = blocks.pop() ?? "";
      for (const block of blocks) {
        const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        if (lines.length) yield lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

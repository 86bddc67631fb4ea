/** A client of a memory that `agentcl serve` serves: its verbs and rooms, typed from the server's OpenAPI document. */

import type { components, paths } from "./schema.js";

const BASE = "/v1/memory/";
const ROOMS = [
  "conversations", "statements", "facts", "graph", "aliases", "episodes", "lessons", "compressed", "adapters",
  "store", "jobs",
] as const;
const FIRST_WAIT_MS = 100;
const MOST_WAIT_MS = 5_000;
const BUSY = new Set([429, 502, 503, 504]);

/** The kinds of records and answers, by name. */
export type Schemas = components["schemas"];
type RoomName = (typeof ROOMS)[number];
type Json<T> = T extends { content: { "application/json": infer B } } ? B : never;
type Post<P extends keyof paths> = paths[P] extends { post: infer O } ? O : never;
type Sent<O> = O extends { requestBody?: infer B } ? Json<NonNullable<B>> : never;
type Answer<O> = O extends { responses: { 200: infer R } } ? Json<R> : never;
type Verb<P extends keyof paths> =
  Record<never, never> extends Sent<Post<P>>
    ? (sent?: Sent<Post<P>>, how?: How) => Promise<Answer<Post<P>>>
    : (sent: Sent<Post<P>>, how?: How) => Promise<Answer<Post<P>>>;
type Verbs = {
  [P in keyof paths as P extends `/v1/memory/${infer V}`
    ? V extends `${string}/${string}` ? never : [Sent<Post<P>>] extends [never] ? never : V
    : never]: Verb<P>;
};
type Room<R extends string> = {
  [P in keyof paths as P extends `/v1/memory/${R}/${infer V}` ? V : never]: Verb<P>;
};

type Asked = { method?: string; body?: string; headers: Record<string, string> };
type Scope = { tenant?: string; user?: string; agent?: string; session?: string };

/** How an exchange turned out: by a score from 0, failed, to 1, solved, or by a thumb. */
export type Outcome = { score: number; thumb?: never } | { thumb: "up" | "down"; score?: never };

/** Exchanges with the model behind a server, by the ids in the header `x-agentcl-exchange` of its answers. */
export interface Exchanges {
  /** Return what the memory did in an exchange; `wait_s`, at the most 60, is how long it may take to end. */
  get(sent: { id: string; wait_s?: number } & Scope, how?: How): Promise<Schemas["ToldExchange"]>;
  /** Report how an exchange turned out, so that the memories and lessons that it was shown are credited, once. */
  report(sent: { id: string } & Outcome & Scope, how?: How): Promise<Schemas["ToldOutcome"]>;
}

/** How far long work is. */
export interface Progress {
  done?: number;
  total?: number;
  share?: number;
  job?: Schemas["Job"];
}

/** How one request is made. */
export interface How {
  /** Called while long work goes on; the server sends events then. */
  progress?: (far: Progress) => void;
  /** Ends the request; work that can be stopped is stopped at the server. */
  signal?: AbortSignal;
  /** Under which a write is done once, however often it is sent; default: a fresh one for each call. */
  idempotencyKey?: string;
}

/** What a client is made from. */
export interface Options {
  /** That the server asks for. */
  key?: string;
  /** Whose memory is meant, in every request. */
  scope?: Scope;
  /** How often a request is sent at the most while the server is busy or does not answer; default: 4. */
  tries?: number;
  /** Instead of the global one. */
  fetch?: typeof fetch;
}

/** What the server refused, or where it failed; `name` is that of the error in Python, e.g. "NotFound". */
export class AgentclError extends Error {
  constructor(
    name: string,
    message: string,
    /** Of HTTP; 0 if the server did not answer. */
    readonly status: number,
    /** Under which the server's log tells more. */
    readonly request: string = "",
  ) {
    super(message);
    this.name = name;
  }
}

/** A served memory: `client.search({ query })`, `client.statements.list({ all: true })`. */
export type Client = Verbs & { [R in RoomName]: Room<R> } & { exchanges: Exchanges };

/**
 * Return a client of the server at an address.
 *
 * @param url of the server, e.g. `http://127.0.0.1:8321`
 * @param options the key, the scope, and how often a request is tried
 */
export function createClient(url: string, options: Options = {}): Client {
  const base = new URL(url.replace(/\/*$/, BASE));
  const asked = (path: string) => async (sent?: object, how?: How) =>
    ask(new URL(path, base), posted({ ...narrowed(options.scope, sent), ...sent }, how ?? {}), options, how ?? {});
  const room = (name: string) =>
    new Proxy({}, { get: (_, verb) => (isVerb(verb) ? asked(`${name}/${verb}`) : undefined) });
  const rooms = Object.fromEntries<unknown>(ROOMS.map((name) => [name, room(name)]));
  rooms.exchanges = exchangesOf(url, options);
  const found = (name: string | symbol) => (isVerb(name) ? (rooms[name] ?? asked(name)) : undefined);
  return new Proxy({}, { get: (_, name) => found(name) }) as Client;
}

/** Whether a property is a verb's name; a promise asks each object for `then`. */
function isVerb(name: string | symbol): name is string {
  return typeof name === "string" && name !== "then" && /^[a-z_]+$/.test(name);
}

function exchangesOf(url: string, options: Options): Exchanges {
  const at = (id: string, rest = "") => {
    if (!/^[\w-]+$/.test(id)) {
      throw new AgentclError("InvalidInput", `'${id}' is no exchange: its id is in the header x-agentcl-exchange`, 0);
    }
    return new URL(url.replace(/\/*$/, `/v1/exchanges/${id}${rest}`));
  };
  return {
    async get({ id, wait_s, ...scope }, how = {}) {
      const asked = at(id, wait_s ? `?wait=${wait_s}` : "");
      const headers = named({ ...narrowed(options.scope, scope), ...scope });
      return (await ask(asked, { headers }, options, how)) as Schemas["ToldExchange"];
    },
    async report({ id, score, thumb, ...scope }, how = {}) {
      const headers = { "content-type": "application/json", ...named({ ...narrowed(options.scope, scope), ...scope }) };
      // The same report changes nothing, so it may be sent again.
      const request = { method: "POST", body: JSON.stringify({ score, thumb }), headers };
      return (await ask(at(id, "/outcome"), request, options, how)) as Schemas["ToldOutcome"];
    },
  };
}

/** Return the scope of a client. What is sent may narrow it, and never lead elsewhere: it may come from outside. */
function narrowed(scope: Scope = {}, sent: object = {}): Scope {
  for (const [name, value] of Object.entries(scope)) {
    if (Object.hasOwn(sent, name) && (sent as Record<string, unknown>)[name] !== value) {
      throw new AgentclError("InvalidInput", `this client is bound to ${name} '${value}', and not another`, 0);
    }
  }
  return scope;
}

/** Return the headers that say whose memory is meant; a header holds bytes, so what is beyond Latin-1 goes as UTF-8. */
function named(scope: Scope): Record<string, string> {
  const bytes = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  return Object.fromEntries(Object.entries(scope).map(([name, value]) => [`x-agentcl-${name}`, bytes(value)]));
}

/** Return the request of a verb. */
function posted(sent: object, how: How): Asked {
  const headers = {
    "content-type": "application/json",
    "idempotency-key": how.idempotencyKey ?? crypto.randomUUID(),
    ...(how.progress ? { accept: "text/event-stream" } : {}),
  };
  return { method: "POST", body: JSON.stringify(sent), headers };
}

async function ask(url: URL, asked: Asked, options: Options, how: How): Promise<unknown> {
  const request: RequestInit = {
    ...asked,
    headers: { ...asked.headers, ...(options.key ? { authorization: `Bearer ${options.key}` } : {}) },
    ...(how.signal ? { signal: how.signal } : {}),
  };
  for (let left = (options.tries ?? 4) - 1, wait = FIRST_WAIT_MS; ; left--, wait *= 2) {
    let response: Response;
    try {
      response = await (options.fetch ?? fetch)(url, request);
    } catch (error) {
      if (how.signal?.aborted) throw error;
      if (left <= 0) throw new AgentclError("ServerUnavailable", `${url.origin} does not answer`, 0);
      await paused(wait);
      continue;
    }
    const told = response.headers.get("retry-after");
    if (left <= 0 || !(BUSY.has(response.status) || told)) return answered(response, how);
    await response.body?.cancel();
    await paused(Number(told) * 1_000 || wait);
  }
}

function paused(wait: number): Promise<void> {
  return new Promise((done) => setTimeout(done, Math.min(wait, MOST_WAIT_MS) * (1 + Math.random() / 4)));
}

async function answered(response: Response, how: How): Promise<unknown> {
  if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
    for await (const [name, told] of events(response)) {
      if (name === "result") return told;
      if (name === "problem") throw refused(told, 0);
      if (name === "progress") how.progress?.(told as Progress);
    }
    throw new AgentclError("ServerUnavailable", "the server ended before its work did; what was done is kept", 0);
  }
  const told: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw refused(told, response.status);
  return told;
}

/** Return the error that a problem document tells. */
function refused(told: unknown, status: number): AgentclError {
  const problem = (typeof told === "object" && told ? told : {}) as Partial<Schemas["Problem"]>;
  return new AgentclError(
    problem.title ?? "ServerUnavailable",
    problem.detail ?? `the server answers ${status}`,
    problem.status ?? status,
    problem.request,
  );
}

/** Yield server-sent events, each with its name and what it tells. */
async function* events(response: Response): AsyncGenerator<[string, unknown]> {
  let held = "";
  const text = response.body!.pipeThrough(new TextDecoderStream());
  const reader = text.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const whole = (held + part.value).split("\n\n");
      held = whole.pop()!;
      for (const event of whole) {
        const name = /^event: (.*)$/m.exec(event)?.[1];
        const told = /^data: (.*)$/m.exec(event)?.[1];
        if (name && told) yield [name, JSON.parse(told)];
      }
    }
  } finally {
    await reader.cancel();
  }
}

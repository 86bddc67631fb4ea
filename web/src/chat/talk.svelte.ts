// The conversation: what was asked, what was answered with and without memory, and what memory did for it.
import { ask, events, Problem, read, verb } from "../lib/api";
import { digest, report } from "../lib/acts";
import { app, told } from "../lib/app.svelte";
import type { Hit, Recall, ScorePart, Shown, SoftShown, Statement, Turn } from "../lib/types";
import { t } from "../texts";

export type Mode = "on" | "off" | "compare";

export interface Memory extends Shown {
  isNew: boolean; // it was not in the block of the turn before
  hit: Hit | null; // how a search found it
  score: number;
  parts: ScorePart[];
}

export interface Learned {
  statements: Statement[]; // that this turn states
  replaced: Statement[]; // that held until then
}

export interface Exchange {
  id: string;
  shown: Memory[];
  text: string; // the block as the model read it
  tokens: number;
  added: number; // tokens
  isNew: boolean;
  isFirst: boolean;
  same: number | null; // share of the prompt that is as the last one was
  soft: SoftShown | null; // null: nobody wanted soft tokens
  lessons: { id: string; text: string }[]; // that stand in the prompt
  withheld: number; // lessons that a coin left out
  warning: string;
  usage: { prompt: number; cached: number | null } | null;
  remembered: string[]; // ids of turns
  isExplained: boolean; // it is known how each memory was found
}

export interface Side {
  hasMemory: boolean;
  answer: string;
  state: "waiting" | "streaming" | "done" | "failed";
  problem: string;
  exchange: Exchange | null;
  learned: Learned | null;
  thumb: "" | "up" | "down";
}

export interface Exchanged {
  number: number;
  question: string;
  sides: Side[];
}

// As the proxy tells it.
interface Told {
  id: string;
  at: string;
  shown: (Shown & { is_gone?: boolean })[];
  text?: string;
  soft: SoftShown | null;
  lessons: { id: string; text?: string; is_gone: boolean }[];
  withheld: number;
  tokens: number;
  is_new: boolean;
  kept: number | null;
  warning: string;
  usage: { prompt_tokens?: number; prompt_tokens_details?: { cached_tokens?: number } } | null;
  remembered: string[];
}

const WAIT_S = 10; // for an exchange to be stored

interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

class Talk {
  session = $state(fresh());
  turns = $state<Exchanged[]>([]);
  mode = $state<Mode>("on");
  wantsSoft = $state<boolean | null>(null); // null: as the server was started
  busy = $state(false);
  chosen = $state<{ turn: number; side: number } | null>(null); // whose panel is shown
  private stopper: AbortController | null = null;

  get side(): Side | null {
    const at = this.chosen;
    return at ? (this.turns[at.turn]?.sides[at.side] ?? null) : null;
  }

  get soft(): boolean {
    return Boolean(app.about?.soft.codec) && (this.wantsSoft ?? app.about?.soft.is_on ?? false);
  }

  // Show passages as soft tokens, or as text again; where the model has no codec, say so.
  switchSoft(): void {
    if (app.about?.soft.codec) this.wantsSoft = !this.soft;
    else app.say(app.about?.soft.reason ?? "");
  }

  begin(): void {
    this.stop();
    this.session = fresh();
    this.turns = [];
    this.chosen = null;
  }

  // Go on with a conversation that is stored.
  resume(session: string, turns: Turn[]): void {
    this.begin();
    this.session = session;
    for (const turn of turns) {
      if (turn.role === "user") this.turns.push({ number: this.turns.length, question: turn.text, sides: [] });
      else if (turn.role === "assistant") this.turns.at(-1)?.sides.push({ ...blank(true), answer: turn.text, state: "done" });
    }
  }

  stop(): void {
    this.stopper?.abort();
  }

  // Ask the last question anew, in the place of what came of it.
  again(): void {
    const last = this.turns.pop();
    if (last) void this.say(last.question);
  }

  async say(question: string): Promise<void> {
    const before = this.messages();
    const wanted = this.mode === "compare" ? [true, false] : [this.mode === "on"];
    this.turns.push({ number: this.turns.length, question, sides: wanted.map(blank) });
    const turn = this.turns.at(-1)!;
    this.chosen = { turn: turn.number, side: 0 };
    this.busy = true;
    this.stopper = new AbortController();
    await app.ready;
    if (!app.model) await app.look(); // the model's server was away when the page was opened
    const asked: Message[] = [{ role: "system", content: t.chat.system }, ...before, { role: "user", content: question }];
    const ids: string[] = [];
    for (const side of turn.sides) ids.push(await this.answer(side, asked, this.stopper.signal));
    this.busy = false;
    const first = turn.sides[0]!;
    if (first.hasMemory && ids[0]) {
      await this.look(first, ids[0], question, WAIT_S); // now with what was kept
      if (first.exchange) await this.learn(first);
    }
    app.changes++;
    if (app.measured === null) void app.measure();
  }

  private messages(): Message[] {
    return this.turns.flatMap((turn) => {
      const answer = turn.sides[0]?.answer;
      const said: Message[] = [{ role: "user", content: turn.question }];
      return answer ? [...said, { role: "assistant", content: answer } as Message] : said;
    });
  }

  // Stream an answer; return the id under which the proxy tells of it.
  private async answer(side: Side, messages: Message[], signal: AbortSignal): Promise<string> {
    let id = "";
    try {
      const answer = await ask("/v1/chat/completions", {
        method: "POST",
        signal,
        scope: { ...app.scope, session: this.session },
        headers: { "content-type": "application/json", "x-agentcl-memory": side.hasMemory ? "on" : "off", "x-agentcl-soft": side.hasMemory && this.soft ? "on" : "off" },
        body: JSON.stringify({ model: app.model, messages, stream: true, stream_options: { include_usage: true } }),
      });
      id = answer.headers.get("x-agentcl-exchange") ?? "";
      if (id && side.hasMemory) void this.look(side, id, messages.at(-1)!.content, 0);
      for await (const data of events(answer)) {
        if (data === "[DONE]") break;
        const chunk = JSON.parse(data);
        if (chunk.error) throw new Problem(502, "Problem", chunk.error.message ?? String(chunk.error));
        const piece = chunk.choices?.[0]?.delta?.content;
        if (piece) {
          side.state = "streaming";
          side.answer += piece;
        }
      }
      side.state = "done";
    } catch (error) {
      const stopped = signal.aborted;
      side.state = stopped && side.answer ? "done" : "failed";
      if (stopped) side.problem = side.answer ? t.chat.stopped : t.chat.stoppedEarly;
      else side.problem = side.answer ? t.chat.broke(told(error)) : t.chat.failed(told(error));
    }
    return id;
  }

  private async look(side: Side, id: string, question: string, wait: number): Promise<void> {
    try {
      const before = this.turns
        .flatMap((turn) => turn.sides)
        .filter((one) => one !== side && one.exchange)
        .at(-1)?.exchange;
      const raw = await read<Told>(`/v1/exchanges/${encodeURIComponent(id)}`, { wait: wait || undefined }, app.scope);
      const found = exchangeOf(raw, before ?? null);
      const isKnown = side.exchange !== null;
      if (isKnown) Object.assign(found, { shown: side.exchange!.shown, isExplained: side.exchange!.isExplained });
      side.exchange = found;
      if (isKnown) return;
      const shown = await explained(found.shown, question, raw.at);
      side.exchange = { ...side.exchange, shown, isExplained: true };
    } catch (error) {
      side.problem ||= told(error);
    }
  }

  // Read what was just said for what it states, and tell what that replaced.
  private async learn(side: Side): Promise<void> {
    const turns = new Set(side.exchange!.remembered);
    try {
      if (!app.about?.rights.includes("write") || !turns.size) throw new Error();
      await digest(app.scope);
      const search = new URLSearchParams([...turns].map((id) => ["turns", id]));
      side.learned = (await (await ask(`/v1/page/learned?${search}`, { scope: app.scope })).json()) as Learned;
    } catch {
      side.learned = { statements: [], replaced: [] };
    }
  }

  // Count for what was shown, memories and lessons, whether the answer was good.
  async rate(side: Side, thumb: "up" | "down"): Promise<void> {
    if (side.thumb || !side.exchange) return;
    side.thumb = thumb;
    try {
      const credited = await report(side.exchange.id, thumb, app.scope);
      app.say(t.chat.credited(credited.memories.length, credited.lessons.length));
    } catch (error) {
      side.thumb = "";
      app.say(told(error));
    }
  }
}

function fresh(): string {
  const now = new Date().toISOString().slice(0, 19).replace(/\D/g, "");
  return `page-${now}-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
}

function blank(hasMemory: boolean): Side {
  return { hasMemory, answer: "", state: "waiting", problem: "", exchange: null, learned: null, thumb: "" };
}

function exchangeOf(raw: Told, before: Exchange | null): Exchange {
  const known = new Set(before?.shown.map((one) => one.id));
  const shown = raw.shown.filter((one) => !one.is_gone);
  return {
    id: raw.id,
    shown: shown.map((one) => ({ ...one, isNew: !known.has(one.id), hit: null, score: 0, parts: [] })),
    text: raw.text ?? "",
    tokens: raw.tokens,
    added: raw.is_new || !before ? raw.tokens : Math.max(0, raw.tokens - before.tokens),
    isNew: raw.is_new,
    isFirst: before === null,
    same: raw.kept,
    soft: raw.soft,
    lessons: raw.lessons.filter((one) => !one.is_gone).map((one) => ({ id: one.id, text: one.text ?? "" })),
    withheld: raw.withheld,
    warning: raw.warning,
    usage: raw.usage && { prompt: raw.usage.prompt_tokens ?? 0, cached: raw.usage.prompt_tokens_details?.cached_tokens ?? null },
    remembered: raw.remembered,
    isExplained: false,
  };
}

// Say how each memory was found, by asking again with the same words as of then; scores are shares of the best one's.
async function explained(shown: Memory[], question: string, as_of: string): Promise<Memory[]> {
  if (!shown.length) return shown;
  const query = question.slice(-2000);
  const [recall, stated] = await Promise.all([
    verb<Recall>("search", { query, limit: 20, mode: "graph", as_of }, app.scope).catch(() => null),
    verb<{ statement: Statement; score: number }[]>("statements/search", { query, limit: 20 }, app.scope).catch(() => []),
  ]);
  const best = Math.max(...(recall?.hits.map((hit) => hit.score) ?? []), 0) || 1;
  const top = Math.max(...stated.map((one) => one.score), 0) || 1;
  return shown.map((one) => {
    const hit = recall?.hits.find((found) => found.document_id === one.id) ?? null;
    if (hit) return { ...one, hit, score: hit.score / best, parts: hit.parts };
    const found = stated.find((other) => other.statement.id === one.id);
    return found ? { ...one, score: found.score / top } : one;
  });
}

export const talk = new Talk();

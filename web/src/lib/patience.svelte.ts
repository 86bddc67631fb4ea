// Work that may take long where much is stored: after two seconds it is said how far it is.
import { ask, events, Problem } from "./api";
import type { Scope } from "./types";

const LONG_S = 2;

export class Patience {
  seconds = $state(0); // since the work began
  share = $state<number | null>(null); // that is done; null: nobody knows
  private running = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  get isLong(): boolean {
    return this.seconds >= LONG_S;
  }

  // Wait for work, and count the seconds meanwhile.
  async over<T>(work: Promise<T>): Promise<T> {
    const began = Date.now();
    this.running++;
    this.timer ??= setInterval(() => (this.seconds = Math.floor((Date.now() - began) / 1000)), 250);
    try {
      return await work;
    } finally {
      this.running--;
      if (!this.running) {
        clearInterval(this.timer);
        this.timer = undefined;
        this.seconds = 0;
        this.share = null;
      }
    }
  }
}

const warm = new Set<string>();

// Build what a kind of search asks before it is asked: the first time this takes long, and is told step by step.
export async function prepare(mode: string, patience: Patience, scope: Scope): Promise<void> {
  if (warm.has(mode)) return;
  const answer = await ask("/v1/memory/warm_up", {
    method: "POST",
    scope,
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ mode }),
  });
  for await (const data of events(answer)) {
    const told = JSON.parse(data) as { share?: number; title?: string; status?: number; detail?: string } | null;
    if (told?.title) throw new Problem(told.status ?? 500, told.title, told.detail ?? "");
    if (told?.share !== undefined) patience.share = told.share;
  }
  warm.add(mode);
}

// What the whole page knows: where it is, whose memory it shows, and as of when.
import { t } from "../texts";
import type { Undo } from "./acts";
import { heldKey, holdKey, Problem, read, whenLocked } from "./api";
import type { About, Measured, Scope } from "./types";

export type View = "chat" | "memory" | "graph";
export type Theme = "system" | "light" | "dark";

const VIEWS: readonly string[] = ["chat", "memory", "graph"];
const USER = "agentcl.user";
const THEME = "agentcl.theme";
const SHORT_MS = 5_000;
const LONG_MS = 20_000; // for a way back

class App {
  view = $state<View>("chat");
  part = $state("search"); // of the memory's view
  id = $state(""); // of what is open
  about = $state<About | null>(null);
  isFixed = $state(false); // a key, or the server, opens one user's memory
  needsKey = $state(false);
  problem = $state("");
  user = $state(localStorage.getItem(USER) ?? "me");
  theme = $state<Theme>((localStorage.getItem(THEME) as Theme | null) ?? "system");
  asOf = $state<number | null>(null); // milliseconds; null is now
  note = $state(""); // what was just done
  takesBack = $state.raw<Undo | null>(null); // what was just done
  private fading: ReturnType<typeof setTimeout> | undefined;
  measured = $state<Measured | null>(null);
  measuring = $state(false);
  changes = $state(0); // grows when something stored was changed, so that lists read again
  model = $state("");

  // Whose memory is read: what a key opens stands, and may be narrowed to a user.
  get scope(): Scope {
    return this.isFixed ? {} : { user: this.user };
  }

  get moment(): string | undefined {
    return this.asOf === null ? undefined : new Date(this.asOf).toISOString();
  }

  get mayWrite(): boolean {
    return this.asOf === null && (this.about?.rights.includes("write") ?? false);
  }

  get mayLearn(): boolean {
    return this.asOf === null && (this.about?.rights.includes("learn") ?? false);
  }

  ready: Promise<void> = Promise.resolve(); // once it is known what the server holds

  begin(): void {
    whenLocked(() => this.lock());
    this.readPlace();
    this.wear();
    this.ready = this.look();
  }

  async look(): Promise<void> {
    try {
      const bare = await read<About>("/v1/page/about", {});
      this.isFixed = Boolean(bare.scope.user);
      if (this.isFixed) this.user = bare.scope.user!;
      this.about = this.isFixed || !this.user ? bare : await read<About>("/v1/page/about", {}, this.scope);
      this.needsKey = false;
      this.problem = "";
      this.model ||= this.about.models[0] ?? "";
    } catch (error) {
      if (!this.needsKey) this.problem = told(error);
    }
  }

  lock(): void {
    this.needsKey = true;
    this.problem = heldKey() ? t.key.wrong : "";
  }

  // Try a key; what could not be read without it is read again.
  async unlock(key: string): Promise<void> {
    holdKey(key);
    this.hush();
    this.ready = this.look();
    await this.ready;
    if (!this.needsKey) this.changes++;
  }

  go(view: View, part = "", id = ""): void {
    const place = [view, part, id].filter(Boolean).map(encodeURIComponent).join("/");
    location.hash = `#/${place}`;
  }

  readPlace(): void {
    const [view = "", part = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
    this.view = VIEWS.includes(view) ? (view as View) : "chat";
    if (this.view === "memory") this.part = part || "search";
    this.id = this.view === "graph" ? part : rest.join("/");
  }

  name(user: string): void {
    this.hush(); // the way back leads into another's memory
    this.user = user.trim();
    localStorage.setItem(USER, this.user);
    void this.look();
    this.changes++;
  }

  wear(theme = this.theme): void {
    this.theme = theme;
    localStorage.setItem(THEME, theme);
    const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }

  // Tell what was done, with a way back if there is one.
  say(note: string, takesBack: Undo | null = null): void {
    this.note = note;
    this.takesBack = takesBack;
    this.fade();
  }

  fade(): void {
    clearTimeout(this.fading);
    this.fading = setTimeout(() => this.hush(), this.takesBack ? LONG_MS : SHORT_MS);
  }

  // Let the note stand while somebody is at it.
  keep(): void {
    clearTimeout(this.fading);
  }

  hush(): void {
    clearTimeout(this.fading);
    this.note = "";
    this.takesBack = null;
  }

  async undo(): Promise<void> {
    const undo = this.takesBack;
    if (!undo) return;
    this.takesBack = null; // once
    this.keep();
    try {
      await undo();
      this.say(t.acts.undone);
    } catch (error) {
      this.say(told(error));
    }
    this.changes++;
  }

  // Let another model answer from now on.
  choose(name: string): void {
    this.model = name;
    this.measured = null;
  }

  async measure(): Promise<void> {
    if (!this.model || this.measuring) return;
    this.measuring = true;
    try {
      this.measured = await read<Measured>("/v1/page/model", { name: this.model }, {});
    } catch (error) {
      this.say(told(error));
    } finally {
      this.measuring = false;
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function told(error: unknown): string {
  if (error instanceof Problem && error.title === "NotFound") return t.problem.missing;
  return error instanceof Error ? error.message : String(error);
}

export const app = new App();

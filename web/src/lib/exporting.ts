// A file of all that may be read here, as of now or of a moment.
import { verb } from "./api";
import type { About, RecordHead, Scope } from "./types";

// What was brought in, said, stated, done and learned; what else is stored is derived from these.
const KINDS = ["document", "conversation", "turn", "statement", "proposal", "fact", "episode", "step", "guidance"];
const PAGE = 500;

// Return JSON Lines: what the file is, then a record a line. `progress` is told how many were read.
export async function exported(about: About, scope: Scope, as_of: string | undefined, progress: (count: number) => void): Promise<Blob> {
  const head = { agentcl: about.version, scope: { ...about.scope, ...scope }, as_of: as_of ?? new Date().toISOString() };
  const parts = [`${JSON.stringify(head)}\n`];
  for (const kind of KINDS) {
    let page: RecordHead[];
    let after: string | undefined;
    do {
      page = await verb<RecordHead[]>("list", { kind, limit: PAGE, after, as_of }, scope);
      if (page.length) parts.push(`${page.map((one) => JSON.stringify(one)).join("\n")}\n`);
      after = page.at(-1)?.id;
      progress(page.length);
    } while (page.length === PAGE);
  }
  return new Blob(parts, { type: "application/jsonl" });
}

// Let the browser keep a file.
export function download(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Reads an answer as what models write: paragraphs, lists in lists, code, tables, quotes, headings. It makes values, never HTML.
export interface Piece {
  kind: "text" | "code" | "strong" | "em" | "del";
  text: string;
}

export interface Item {
  done: boolean | null; // of a task; null: it is none
  blocks: Block[];
}

export type Block =
  | { kind: "code" | "text"; text: string }
  | { kind: "head"; text: string; level: number }
  | { kind: "rule" }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; start: number | null; items: Item[] } // start: of a numbered one
  | { kind: "table"; head: string[]; rows: string[][]; sides: Side[] };

export type Side = "left" | "center" | "right";

const DEEPEST = 12; // lists and quotes within each other; what is deeper is text
const ITEM = /^([-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;
const TASK = /^\[([ xX])\] /;

export function read(text: string): Block[] {
  return blocksOf(text.split("\n"), 0);
}

function blocksOf(lines: string[], depth: number): Block[] {
  const found: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    const bare = line.trim();
    const fence = fenceOf(bare);
    if (!bare) at++;
    else if (fence) {
      const end = lines.findIndex((one, number) => number > at && one.trim().startsWith(fence) && !one.trim().replaceAll(fence[0]!, ""));
      const until = end < 0 ? lines.length : end; // an answer that is still being written
      found.push({ kind: "code", text: dedented(lines.slice(at + 1, until), indentOf(line)).join("\n") });
      at = until + 1;
    } else if (isRule(bare)) {
      found.push({ kind: "rule" });
      at++;
    } else if (/^#{1,6} \S/.test(line)) {
      found.push({ kind: "head", text: bare.replace(/^#+ /, ""), level: line.indexOf(" ") });
      at++;
    } else if (bare.startsWith(">") && depth < DEEPEST) {
      const until = endOf(lines, at, (one) => one.trim().startsWith(">"));
      found.push({ kind: "quote", blocks: blocksOf(lines.slice(at, until).map((one) => one.trim().replace(/^> ?/, "")), depth + 1) });
      at = until;
    } else if (isTable(lines, at)) {
      const until = endOf(lines, at + 2, (one) => one.includes("|"));
      const sides = cells(lines[at + 1]!).map(sideOf);
      found.push({ kind: "table", head: cells(line), rows: lines.slice(at + 2, until).map(cells), sides });
      at = until;
    } else if (ITEM.test(bare) && depth < DEEPEST) {
      const [list, until] = listAt(lines, at, depth);
      found.push(list);
      at = until;
    } else {
      const until = endOf(lines, at + 1, (_, number) => !begins(lines, number, depth));
      found.push({ kind: "text", text: lines.slice(at, until).join("\n").trimEnd() });
      at = until;
    }
  }
  return found;
}

// A list goes on over blank lines, and what stands further in belongs to the item before it.
function listAt(lines: string[], begin: number, depth: number): [Block, number] {
  const indent = indentOf(lines[begin]!);
  const isNumbered = (line: string): boolean => /^\d/.test(line.trim());
  const numbered = isNumbered(lines[begin]!);
  const items: Item[] = [];
  let at = begin;
  while (at < lines.length && ITEM.test(lines[at]!.trim()) && indentOf(lines[at]!) <= indent && isNumbered(lines[at]!) === numbered && !isRule(lines[at]!.trim())) {
    const first = lines[at]!.trim().replace(ITEM, "");
    let until = at + 1;
    for (let number = until; number < lines.length; number++) {
      const line = lines[number]!;
      if (!line.trim()) continue;
      const isInside = indentOf(line) > indent;
      if (!isInside && (number > until || begins(lines, number, depth) || ITEM.test(line.trim()))) break;
      until = number + 1;
    }
    const task = TASK.exec(first);
    const inner = lines.slice(at + 1, until);
    const inset = Math.min(...inner.filter((one) => one.trim() && indentOf(one) > indent).map(indentOf));
    const blocks = blocksOf([task ? first.slice(4) : first, ...dedented(inner, inset)], depth + 1);
    items.push({ done: task ? task[1] !== " " : null, blocks });
    at = until;
    while (at < lines.length && !lines[at]!.trim()) at++; // to the next item, if there is one
  }
  const start = numbered ? Number.parseInt(lines[begin]!.trim(), 10) : null;
  return [{ kind: "list", start, items }, at];
}

function endOf(lines: string[], begin: number, goesOn: (line: string, number: number) => boolean): number {
  let at = begin;
  while (at < lines.length && lines[at]!.trim() && goesOn(lines[at]!, at)) at++;
  return at;
}

// Whether something else than text begins at a line. A number in the middle of a text begins a list only if it is 1.
function begins(lines: string[], at: number, depth: number): boolean {
  const bare = lines[at]!.trim();
  const isItem = ITEM.test(bare) && (!/^\d/.test(bare) || /^1[.)]/.test(bare));
  const isInner = (isItem || bare.startsWith(">")) && depth < DEEPEST;
  return isInner || fenceOf(bare) !== "" || isRule(bare) || /^#{1,6} \S/.test(lines[at]!) || isTable(lines, at);
}

function fenceOf(bare: string): string {
  return /^(`{3,}(?!.*`)|~{3,})/.exec(bare)?.[0] ?? "";
}

function isRule(bare: string): boolean {
  const marks = bare.replace(/\s/g, "");
  return marks.length >= 3 && "-*_".includes(marks[0]!) && !marks.replaceAll(marks[0]!, "");
}

function isTable(lines: string[], at: number): boolean {
  const under = lines[at + 1]?.trim() ?? "";
  return lines[at]!.includes("|") && under.includes("|") && under.includes("-") && !under.replace(/[\s|:-]/g, "");
}

function cells(line: string): string[] {
  const bare = line.trim();
  const inner = bare.slice(bare.startsWith("|") ? 1 : 0, bare.endsWith("|") && !bare.endsWith("\\|") ? -1 : undefined);
  return inner.split(/(?<!\\)\|/).map((one) => one.trim().replaceAll("\\|", "|"));
}

function sideOf(cell: string): Side {
  return cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "left";
}

function indentOf(line: string): number {
  const white = /^[ \t]*/.exec(line)![0];
  return white.replaceAll("\t", "    ").length;
}

function dedented(lines: string[], by: number): string[] {
  return lines.map((line) => (Number.isFinite(by) ? " ".repeat(Math.max(0, indentOf(line) - by)) + line.trimStart() : line));
}

// A sign within a word or a number (snake_case, 2*3*4) is no emphasis.
const MARKED = /(`[^`\n]+`|\*\*[^*\n]+\*\*|~~[^~\n]+~~|(?<![\w*])\*(?=[^\s*])[^*\n]*[^\s*]\*(?![\w*])|(?<![\w*])\*[^\s*]\*(?![\w*])|(?<![\w_])_(?=[^\s_])[^_\n]*[^\s_]_(?![\w_]))/;
const MARKS: [string, Piece["kind"]][] = [["`", "code"], ["**", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

export function pieces(line: string): Piece[] {
  // Every second part is what the expression caught.
  const parts = line.split(MARKED).map((one, at): Piece => {
    const mark = at % 2 ? MARKS.find(([sign]) => one.startsWith(sign)) : undefined;
    return mark ? { kind: mark[1], text: one.slice(mark[0].length, -mark[0].length) } : { kind: "text", text: one };
  });
  return parts.filter((one) => one.text);
}

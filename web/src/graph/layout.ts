// Places for the nodes of a small graph: what is joined comes near, and no two lie on each other.
export interface Place {
  x: number;
  y: number;
}

const ROUNDS = 220;

// The first node stays in the middle. The same graph always gets the same places.
export function places(count: number, edges: readonly (readonly [number, number, ...unknown[]])[], width: number, height: number): Place[] {
  const found: Place[] = Array.from({ length: count }, (_, at) => {
    const angle = at * 2.399963; // the golden angle: neighbours never line up
    const reach = at === 0 ? 0 : 0.25 + 0.2 * Math.sqrt(at / count);
    return { x: width / 2 + Math.cos(angle) * reach * width, y: height / 2 + Math.sin(angle) * reach * height };
  });
  const near = Math.sqrt((width * height) / Math.max(count, 6)) * 0.78;
  for (let round = 0; round < ROUNDS; round++) {
    const heat = (1 - round / ROUNDS) * near * 0.35;
    const moves = found.map(() => ({ x: 0, y: 0 }));
    for (let a = 0; a < count; a++)
      for (let b = a + 1; b < count; b++) {
        const dx = found[a]!.x - found[b]!.x;
        const dy = (found[a]!.y - found[b]!.y) * 1.5; // names are wide: keep more room above and below
        const far = Math.max(1, Math.hypot(dx, dy));
        const push = (near * near) / far / far;
        moves[a]!.x += dx * push;
        moves[a]!.y += dy * push;
        moves[b]!.x -= dx * push;
        moves[b]!.y -= dy * push;
      }
    for (const [a, b] of edges) {
      const dx = found[a]!.x - found[b]!.x;
      const dy = found[a]!.y - found[b]!.y;
      const pull = Math.hypot(dx, dy) / near / 1.6;
      moves[a]!.x -= dx * pull;
      moves[a]!.y -= dy * pull;
      moves[b]!.x += dx * pull;
      moves[b]!.y += dy * pull;
    }
    for (let at = 1; at < count; at++) {
      const move = moves[at]!;
      const long = Math.max(1, Math.hypot(move.x, move.y));
      const here = found[at]!;
      here.x = Math.max(70, Math.min(width - 70, here.x + (move.x / long) * Math.min(long, heat)));
      here.y = Math.max(34, Math.min(height - 72, here.y + (move.y / long) * Math.min(long, heat)));
    }
  }
  return found;
}

// Where the name of a node stands; null: there is no room, and it is seen when one points at the node.
export interface Label {
  x: number;
  y: number;
  anchor: "middle" | "start" | "end";
}

type Box = readonly [left: number, top: number, right: number, bottom: number];

const LETTER = 7; // pixels of a letter at most, on the average of a name
const HIGH = 15; // of a line
const LEGEND = 44; // pixels at the lower edge, where signs are explained

// Names in the order of their importance; no two of them lie on each other, nor one on a node. The first `count` spots are
// nodes; each further one is the place of a name itself, that of an edge.
export function labels(spots: readonly Place[], names: readonly string[], order: readonly number[], count: number, width: number, height: number): (Label | null)[] {
  const taken: Box[] = spots.slice(0, count).map(({ x, y }) => [x - 9, y - 9, x + 9, y + 9]);
  const found: (Label | null)[] = spots.map(() => null);
  for (const at of order) {
    const { x, y } = spots[at]!;
    const long = names[at]!.length * LETTER;
    const far = at === 0 ? 31 : 25;
    const below: Label = { x, y: y + far, anchor: "middle" };
    const around: Label[] = [below, { x, y: y - far + 9, anchor: "middle" }, { x: x + 14, y: y + 4, anchor: "start" }, { x: x - 14, y: y + 4, anchor: "end" }];
    const along: Label[] = [{ x, y: y + 7, anchor: "middle" }, { x, y: y + 24, anchor: "middle" }];
    const tries = at < count ? around : along;
    for (const one of tries) {
      const left = one.anchor === "middle" ? one.x - long / 2 : one.anchor === "start" ? one.x : one.x - long;
      const box: Box = [left, one.y - HIGH + 3, left + long, one.y + 3];
      const isFree = box[0] >= 0 && box[2] <= width && box[1] >= 0 && box[3] <= height - LEGEND && !taken.some((other, node) => node !== at && meet(box, other));
      if (!isFree) continue;
      taken.push(box);
      found[at] = one;
      break;
    }
  }
  return found;
}

function meet(one: Box, other: Box): boolean {
  return one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
}

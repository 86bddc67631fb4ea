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
      here.y = Math.max(34, Math.min(height - 62, here.y + (move.y / long) * Math.min(long, heat)));
    }
  }
  return found;
}

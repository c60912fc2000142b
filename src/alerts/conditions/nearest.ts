const MOST_LENGTH = 24;
const MOST_EDITS = 2;

/** The one of some names that a slip of the finger or two away was meant, if any. */
export function nearest(name: string, all: readonly string[]): string | undefined {
  if (name.length > MOST_LENGTH) return undefined;
  const most = Math.min(MOST_EDITS, Math.floor(name.length / 3));
  const [best] = all
    .map((one) => ({ one, edits: edits(name.toLowerCase(), one) }))
    .filter((near) => near.edits <= most)
    .sort((a, b) => a.edits - b.edits);
  return best?.one;
}

/** Levenshtein's distance. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let at = 1; at <= from.length; at++) {
    const next = [at];
    for (let column = 1; column <= to.length; column++) {
      const replaced = row[column - 1]! + (from[at - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

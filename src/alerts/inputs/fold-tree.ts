/** How two neighbouring stretches become one, the earlier first. */
export type Join = Readonly<{ empty: number; join: (before: number, after: number) => number }>;

export const SUM: Join = { empty: 0, join: (before, after) => before + after };
export const GREATEST: Join = { empty: -Infinity, join: (before, after) => Math.max(before, after) };
export const LEAST: Join = { empty: Infinity, join: (before, after) => Math.min(before, after) };
/** The first that is a number. */
export const FIRST: Join = { empty: NaN, join: (before, after) => (Number.isNaN(before) ? after : before) };

/**
 * Any stretch of a ring of leaves joined in log2(capacity) steps, for as many lengths at once as are asked. Each node is
 * joined anew from those below it when a leaf is written and nothing is ever subtracted: what leaves a stretch leaves no
 * trace in it.
 */
export class FoldTree {
  /** Node 1 is the root; those below node i are 2i and 2i + 1; from `capacity` on they are the leaves. */
  private readonly nodes: Float64Array;

  /** `leaves` has a power of two of places and is written by others, who then say `refresh`. */
  constructor(
    private readonly leaves: Float64Array,
    private readonly by: Join,
  ) {
    this.nodes = new Float64Array(leaves.length);
    for (let node = leaves.length - 1; node > 0; node--) this.rejoin(node);
  }

  refresh(place: number): void {
    for (let node = (place + this.leaves.length) >> 1; node > 0; node >>= 1) this.rejoin(node);
  }

  /** From one place to another, both included, without going round the end of the ring. */
  fold(from: number, to: number): number {
    const { join, empty } = this.by;
    const capacity = this.leaves.length;
    let before = empty;
    let after = empty;
    for (let low = from + capacity, high = to + capacity + 1; low < high; low >>= 1, high >>= 1) {
      if (low & 1) before = join(before, this.at(low++));
      if (high & 1) after = join(this.at(--high), after);
    }
    return join(before, after);
  }

  private rejoin(node: number): void {
    this.nodes[node] = this.by.join(this.at(2 * node), this.at(2 * node + 1));
  }

  /** What a node amounts to. */
  at(node: number): number {
    return node < this.leaves.length ? this.nodes[node]! : this.leaves[node - this.leaves.length]!;
  }
}

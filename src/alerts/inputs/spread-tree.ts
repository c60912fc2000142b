import { FoldTree, SUM } from './fold-tree.js';

/** Mean and squared distances from it of so many values; stretches are joined as Chan, Golub and LeVeque do. */
export class Moments {
  count = 0;
  mean = 0;
  squares = 0;

  add(count: number, mean: number, squares: number): void {
    if (count === 0) return;
    const all = this.count + count;
    const apart = mean - this.mean;
    this.squares += squares + (apart * apart * this.count * count) / all;
    this.mean += (apart * count) / all;
    this.count = all;
  }

  /** Divided by the number of values, as Bollinger's bands do. */
  get deviation(): number {
    return Math.sqrt(this.squares / this.count);
  }
}

/**
 * Population deviation over any stretch of a ring. No squares of prices are subtracted from each other: at 65,000 that
 * leaves six digits of a deviation of 1.
 */
export class SpreadTree {
  private readonly sums: FoldTree;
  /** Of each node, the squared distances from its mean; leaves have none. */
  private readonly squares: Float64Array;

  constructor(private readonly leaves: Float64Array) {
    this.sums = new FoldTree(leaves, SUM);
    this.squares = new Float64Array(leaves.length);
    for (let node = leaves.length - 1; node > 0; node--) this.rejoin(node, sizeOf(node, leaves.length));
  }

  refresh(place: number): void {
    this.sums.refresh(place);
    let size = 2;
    for (let node = (place + this.leaves.length) >> 1; node > 0; node >>= 1, size *= 2) this.rejoin(node, size);
  }

  /** Adds a stretch, both places included, without going round the end of the ring. */
  fold(from: number, to: number, into: Moments): void {
    const capacity = this.leaves.length;
    let size = 1;
    for (let low = from + capacity, high = to + capacity + 1; low < high; low >>= 1, high >>= 1, size *= 2) {
      if (low & 1) this.addNode(low++, size, into);
      if (high & 1) this.addNode(--high, size, into);
    }
  }

  private addNode(node: number, size: number, into: Moments): void {
    into.add(size, this.sums.at(node) / size, this.squaresAt(node));
  }

  private rejoin(node: number, size: number): void {
    const half = size / 2;
    const apart = (this.sums.at(2 * node) - this.sums.at(2 * node + 1)) / half;
    this.squares[node] = this.squaresAt(2 * node) + this.squaresAt(2 * node + 1) + (apart * apart * half) / 2;
  }

  private squaresAt(node: number): number {
    return node < this.leaves.length ? this.squares[node]! : 0;
  }
}

const sizeOf = (node: number, capacity: number): number => capacity / 2 ** Math.floor(Math.log2(node));

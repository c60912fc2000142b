/** Values above zero to bins and back: within a bin no value is off by more than the relative accuracy. */
export type BinMapping = Readonly<{
  relativeAccuracy: number;
  /** Values up to this one count as zero. */
  minPossible: number;
  key(value: number): number;
  value(key: number): number;
}>;

/** Bins that hold something, not the range they span: a stray value of another magnitude costs one bin. */
export const MOST_BINS = 8192;
/** Above every key of a mapping, so that keys of positive values stay above zero and their negatives mirror them. */
const CENTRE = 2 ** 23;
const MOST_VARINT_BYTES = 8;

/**
 * A DDSketch: counts of values by bins of relative width, from which any quantile is told within the mapping's relative
 * accuracy. What two sketches of parts say together is, bin by bin, what one of the whole says. Beyond `mostBins` the
 * lowest are counted in the lowest that is kept: low quantiles then come out too high, high ones stay right, and merging
 * stays exact, as the bins kept are those of the highest keys in any order of merging.
 */
export class Sketch {
  /** Ascending, in order of value: negative below zero below positive. */
  private keys: number[] = [];
  private counts: number[] = [];
  private latest = 0;

  constructor(
    readonly mapping: BinMapping,
    private readonly mostBins = MOST_BINS,
  ) {}

  /** Reads what `encode` wrote under the same mapping; throws RangeError when it is something else. */
  static decode(bytes: Uint8Array, mapping: BinMapping): Sketch {
    const sketch = new Sketch(mapping);
    const reader = new VarintReader(bytes);
    const bins = reader.next();
    let key = 0;
    for (let i = 0; i < bins; i++) {
      if (i === 0) {
        const folded = reader.next();
        key = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
      }
      const token = reader.next();
      if (i > 0) key += token % 2 === 0 ? 1 : reader.next() + 2;
      sketch.keys.push(key);
      sketch.counts.push(Math.floor(token / 2) + 1);
    }
    if (!reader.isAtEnd) throw new RangeError('a sketch ends before its bytes do');
    return sketch;
  }

  get size(): number {
    return this.keys.length;
  }

  add(value: number): void {
    const key = this.keyOf(value);
    const at = this.keys[this.latest] === key ? this.latest : this.firstNotBelow(key);
    this.latest = at;
    if (this.keys[at] === key) {
      this.counts[at]!++;
      return;
    }
    this.keys.splice(at, 0, key);
    this.counts.splice(at, 0, 1);
    this.collapse();
  }

  merge(other: Sketch): void {
    const keys: number[] = [];
    const counts: number[] = [];
    let mine = 0;
    const keepBelow = (end: number): void => {
      for (; mine < this.keys.length && this.keys[mine]! < end; mine++) {
        keys.push(this.keys[mine]!);
        counts.push(this.counts[mine]!);
      }
    };
    for (let its = 0; its < other.keys.length; its++) {
      const key = other.keys[its]!;
      keepBelow(key);
      keys.push(key);
      counts.push(other.counts[its]! + (this.keys[mine] === key ? this.counts[mine++]! : 0));
    }
    keepBelow(Infinity);
    this.keys = keys;
    this.counts = counts;
    this.collapse();
  }

  /** The bin of the value that `rank` values stand before, as its middle; NaN beyond the last. */
  valueAt(rank: number): number {
    let before = 0;
    for (let i = 0; i < this.keys.length; i++) {
      before += this.counts[i]!;
      if (before > rank) return this.valueOf(this.keys[i]!);
    }
    return NaN;
  }

  /** The middle of each bin and what it counts, ascending. */
  *bins(): Generator<readonly [value: number, count: number]> {
    for (let i = 0; i < this.keys.length; i++) yield [this.valueOf(this.keys[i]!), this.counts[i]!];
  }

  /**
   * Number of bins, first key, then a token for each bin: (count - 1) twice, plus 1 where keys are left out before it,
   * how many less one following. All varints: a bin beside another costs one byte up to a count of 64.
   */
  encode(): Uint8Array {
    const writer = new VarintWriter();
    writer.push(this.keys.length);
    for (let i = 0; i < this.keys.length; i++) {
      const key = this.keys[i]!;
      const count = this.counts[i]!;
      const left = i === 0 ? 0 : key - this.keys[i - 1]! - 1;
      if (i === 0) writer.push(key < 0 ? -2 * key - 1 : 2 * key);
      writer.push((count - 1) * 2 + (left > 0 ? 1 : 0));
      if (left > 0) writer.push(left - 1);
    }
    return writer.written();
  }

  private collapse(): void {
    const over = this.keys.length - this.mostBins;
    if (over <= 0) return;
    for (let i = 0; i < over; i++) this.counts[over]! += this.counts[i]!;
    this.keys.splice(0, over);
    this.counts.splice(0, over);
  }

  private firstNotBelow(key: number): number {
    let [low, high] = [0, this.keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private keyOf(value: number): number {
    if (value > this.mapping.minPossible) return CENTRE + this.mapping.key(value);
    return value < -this.mapping.minPossible ? -CENTRE - this.mapping.key(-value) : 0;
  }

  private valueOf(key: number): number {
    if (key === 0) return 0;
    return key > 0 ? this.mapping.value(key - CENTRE) : -this.mapping.value(-key - CENTRE);
  }
}

/** Whole numbers up to 2^53, seven bits a byte, the low ones first. */
class VarintWriter {
  private bytes = new Uint8Array(512);
  private length = 0;

  push(value: number): void {
    if (this.length + MOST_VARINT_BYTES > this.bytes.length) this.grow();
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.length++] = (rest % 128) + 128;
    this.bytes[this.length++] = rest;
  }

  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private grow(): void {
    const grown = new Uint8Array(this.bytes.length * 2);
    grown.set(this.bytes);
    this.bytes = grown;
  }
}

class VarintReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('the bytes of a sketch end too soon');
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }
}

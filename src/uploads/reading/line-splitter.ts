/** A line takes so many bytes at most; what is beyond is cut off. */
export const LINE_LIMIT_BYTES = 64 * 1024;

/** Bytes of one code unit of the line end, and on which side of it the zero is. */
export type LineEnds = 'bytes' | 'utf-16le' | 'utf-16be';

export type RawLine = Readonly<{
  /** Without its line end; at most LINE_LIMIT_BYTES. */
  bytes: Buffer;
  /** As many as it had before it was cut off. */
  fullBytes: number;
  /** From 1. */
  number: number;
  isTruncated: boolean;
  /** Where the next line begins, in unpacked bytes. */
  endOffset: number;
}>;

const LF = 0x0a;
const CR = 0x0d;
const NONE = Buffer.alloc(0);

/**
 * Cuts bytes into lines at LF, as editors count them: one CR before it belongs to the line end, a lone CR does not, and a
 * last line needs none. Holds one line at most.
 */
export class LineSplitter {
  private rest: Buffer = NONE;
  /** The line's end is still looked for, although its first bytes are more than it may have. */
  private isOverlong = false;
  private readonly unit: number;
  /** Where the line begins that is looked for. */
  private start: number;

  /** `offset`: where the first byte that is pushed stands; `line`: the number of lines before it. */
  constructor(
    private offset: number,
    private line: number,
    private readonly ends: LineEnds = 'bytes',
  ) {
    this.unit = ends === 'bytes' ? 1 : 2;
    this.start = offset;
  }

  *push(piece: Buffer): Generator<RawLine> {
    const kept = this.rest.length;
    let data = kept === 0 ? piece : Buffer.concat([this.rest, piece]);
    let from = 0;
    // what was kept has no line end in it
    let searched = Math.max(0, kept - (kept % this.unit));
    for (;;) {
      const end = this.find(data, from, Math.max(from, searched));
      if (end < 0) break;
      yield this.cut(data.subarray(from, end), end + this.unit - from);
      from = end + this.unit;
    }
    data = data.subarray(from);
    searched = 0;
    this.keep(data);
  }

  /** The last line, where it has no end. */
  end(): RawLine | undefined {
    if (this.rest.length === 0) return undefined;
    const rest = this.rest;
    this.rest = NONE;
    return this.cut(rest, rest.length);
  }

  /** Of an overlong line the first bytes are kept, and after them only what may be half a code unit. */
  private keep(data: Buffer): void {
    if (data.length <= LINE_LIMIT_BYTES + 2) {
      this.rest = data;
      return;
    }
    const odd = data.length % this.unit;
    const dropped = data.length - LINE_LIMIT_BYTES - odd;
    this.isOverlong = true;
    this.offset += dropped;
    this.rest = Buffer.concat([data.subarray(0, LINE_LIMIT_BYTES), data.subarray(data.length - odd)]);
  }

  private find(data: Buffer, from: number, searched: number): number {
    if (this.unit === 1) return data.indexOf(LF, searched);
    const low = this.ends === 'utf-16le' ? 0 : 1;
    for (let at = data.indexOf(LF, searched); at >= 0; at = data.indexOf(LF, at + 1)) {
      const start = at - low;
      if (start < from || (start - from) % 2 !== 0 || start + 1 >= data.length) continue;
      if (data[start + 1 - low] === 0) return start;
    }
    return -1;
  }

  private cut(bytes: Buffer, length: number): RawLine {
    const wholeBytes = this.offset - this.start + bytes.length;
    this.offset += length;
    this.start = this.offset;
    this.line++;
    const isTruncated = this.isOverlong || bytes.length > LINE_LIMIT_BYTES + (this.endsWithCr(bytes) ? this.unit : 0);
    this.isOverlong = false;
    const text = isTruncated || !this.endsWithCr(bytes) ? bytes : bytes.subarray(0, bytes.length - this.unit);
    return {
      bytes: text.length > LINE_LIMIT_BYTES ? text.subarray(0, LINE_LIMIT_BYTES) : text,
      fullBytes: isTruncated ? wholeBytes : text.length,
      number: this.line,
      isTruncated,
      endOffset: this.offset,
    };
  }

  private endsWithCr(bytes: Buffer): boolean {
    if (this.unit === 1) return bytes.at(-1) === CR;
    const [value, zero] = this.ends === 'utf-16le' ? [-2, -1] : [-1, -2];
    return bytes.length >= 2 && bytes.length % 2 === 0 && bytes.at(value) === CR && bytes.at(zero) === 0;
  }
}

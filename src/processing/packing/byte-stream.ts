/** The bytes of a block are cut off, damaged, or of another kind. */
export class UnreadableBlock extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`A block of trades cannot be read: ${what}`, options);
    this.name = 'UnreadableBlock';
  }
}

/** Integers of seven bits a byte, the lowest first: small ones take one byte. Exact up to 2^53 - 1. */
export class ByteWriter {
  private buffer = Buffer.allocUnsafe(4096);
  private length = 0;

  unsigned(value: number): void {
    if (this.length + 8 > this.buffer.length) this.grow(8);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.length++] = rest;
  }

  /** Below 2^52 either side of zero. */
  signed(value: number): void {
    this.unsigned(zigzag(value));
  }

  ascii(text: string): void {
    this.unsigned(text.length);
    this.grow(text.length);
    this.length += this.buffer.write(text, this.length, 'latin1');
  }

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private grow(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + bytes));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

/** Reads what a ByteWriter wrote; throws UnreadableBlock where there is no such thing. */
export class ByteReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  unsigned(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      if (this.at >= this.bytes.length) throw new UnreadableBlock('it ends too early');
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (scale > 2 ** 42) throw new UnreadableBlock('an integer in it is too long');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new UnreadableBlock('an integer in it is too large');
    return value;
  }

  signed(): number {
    const value = this.unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  ascii(): string {
    const length = this.unsigned();
    if (this.at + length > this.bytes.length) throw new UnreadableBlock('it ends too early');
    const text = String.fromCharCode(...this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }

  /** How many bytes are left: nothing that follows can count more things than that. */
  get left(): number {
    return this.bytes.length - this.at;
  }
}

/** 0, -1, 1, -2, 2 … to 0, 1, 2, 3, 4 …, so that what is near zero is small. */
export const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);

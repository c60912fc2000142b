const NONE = Buffer.alloc(0);

/** Bytes of a stream, taken in portions of any size. */
export class ByteQueue {
  private held: Buffer = NONE;
  private isOver = false;
  private receivedBytes = 0;
  private readonly chunks: AsyncIterator<Buffer>;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** How much was taken for good. */
  get takenBytes(): number {
    return this.receivedBytes - this.held.length;
  }

  /** Up to `most` bytes, as many as are at hand; none at the end. */
  async take(most: number): Promise<Buffer> {
    if (this.held.length === 0) await this.fill();
    const taken = this.held.subarray(0, most);
    this.held = this.held.subarray(taken.length);
    return taken;
  }

  /** Exactly `count` bytes, fewer only at the end. */
  async exactly(count: number): Promise<Buffer> {
    while (this.held.length < count && (await this.fill()));
    return this.take(count);
  }

  /** The next `count` bytes, which stay; fewer only at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.held.length < count && (await this.fill()));
    return this.held.subarray(0, count);
  }

  /** Gives bytes back that were taken last. */
  giveBack(bytes: Buffer): void {
    if (bytes.length > 0) this.held = this.held.length === 0 ? bytes : Buffer.concat([bytes, this.held]);
  }

  private async fill(): Promise<boolean> {
    if (this.isOver) return false;
    const { done, value } = await this.chunks.next();
    if (done) {
      this.isOver = true;
      return false;
    }
    this.receivedBytes += value.length;
    this.held = this.held.length === 0 ? value : Buffer.concat([this.held, value]);
    return true;
  }
}

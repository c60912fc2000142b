import type { Position } from './position.js';
import type { Publication } from './published.js';

const MOST_HELD = 2000;
const MOST_KNOWN = 20_000;

/** What one resuming client has had, while the missed events are read and live ones wait for it. */
export class Replay {
  /** Committed events up to this id were read. */
  after = 0n;
  /** More came in meanwhile than is kept: updates were lost. */
  overflowed = false;
  private had = new Set<string>();
  private held: Publication[] = [];

  constructor(private readonly from?: Position) {}

  /** Starts behind `after`, knowing of events beyond it that the client had. */
  startAfter(after: bigint, had: ReadonlySet<string> = new Set()): void {
    this.after = after;
    this.had = new Set(had);
    if (this.from?.item === undefined) return;
    this.had.delete(this.from.eventId);
    const before = BigInt(this.from.eventId) - 1n;
    if (before < this.after) this.after = before;
  }

  /** A durable event was heard before this client is live. */
  hold(publication: Publication): void {
    if (this.held.length >= MOST_HELD) this.overflowed = true;
    else this.held.push(publication);
  }

  /**
   * Call right before each read. What was held is committed, so reading finds it; returned is what reading would not
   * find, because its id is already passed.
   */
  beforeRead(): Publication[] {
    const held = this.held;
    this.held = [];
    return held.filter(({ eventId }) => BigInt(eventId!) <= this.after && this.take(eventId!));
  }

  /** Whether an event that was read is new to the client, which it is only once. */
  read(eventId: string): boolean {
    this.after = BigInt(eventId);
    return this.take(eventId);
  }

  /** What was held and not read; from here on the client is live. */
  rest(): Publication[] {
    const held = this.held;
    this.held = [];
    return held.filter(({ eventId }) => this.take(eventId!));
  }

  /** The number of the last update of this event that the client had; -1 for none. */
  hadItem(eventId: string | undefined): number {
    return this.from?.item !== undefined && this.from.eventId === eventId ? this.from.item : -1;
  }

  private take(eventId: string): boolean {
    if (this.had.has(eventId)) return false;
    this.had.add(eventId);
    if (this.had.size > MOST_KNOWN) this.had.delete(this.had.values().next().value!);
    return true;
  }
}

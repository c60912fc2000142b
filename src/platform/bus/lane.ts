import type { Delivery } from './event.store.js';

/** Deliveries of one consumer that this process holds in memory: a bounded queue, one batch at a time. */
export class Lane {
  private waiting: Delivery[] = [];
  private weightBytes = 0;
  private running: Promise<void> | undefined;
  /** Something was left in the database: new events queue up behind it there until a claim finds nothing. */
  private behind = true;
  /** Look into the database once at the next turn. */
  private lookDue = false;
  /** As `lookDue`, and before anything at hand: what was left there is older than what was let in since. */
  private leftDue = false;

  constructor(
    private readonly options: Readonly<{ batch: number; lingerMs: number; boundBytes: number }>,
    private readonly run: (batch: Delivery[]) => Promise<void>,
    private readonly claim: () => Promise<Delivery[]>,
  ) {}

  /** Whether a new event may be born claimed for this lane; when not, the row waits in the database. */
  takesNew(): boolean {
    if (this.weightBytes < this.options.boundBytes && !this.behind) return true;
    this.behind = true;
    return false;
  }

  /** Nothing waits, here or in the database, and nothing is being handled. */
  get isCaughtUp(): boolean {
    return !this.behind && !this.running;
  }

  offer(delivery: Delivery): void {
    this.push(delivery);
    this.running ??= this.drain();
  }

  /** A transaction is over that `takesNew` left an event of in the database. A claim may have looked before it was there. */
  left(): void {
    this.leftDue ||= !this.behind;
    this.look();
  }

  /** Claims what is due in the database, beside what is at hand. */
  look(): void {
    this.lookDue = true;
    this.running ??= this.drain();
  }

  /** As look, and what is new waits in the database behind what is due there. */
  catchUp(): void {
    this.behind = true;
    this.look();
  }

  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  private get hasRoom(): boolean {
    return this.waiting.length < this.options.batch;
  }

  private push(delivery: Delivery): void {
    this.waiting.push(delivery);
    this.weightBytes += delivery.weightBytes;
  }

  private async drain(): Promise<void> {
    try {
      for (;;) {
        // Not while a full batch waits: a slow consumer would claim ever more, past its lease, and wear out the attempts.
        if (this.leftDue || (this.lookDue && this.hasRoom) || (this.behind && this.waiting.length === 0))
          await this.takeStored();
        if (this.waiting.length === 0) {
          if (!this.lookDue) return;
          continue;
        }
        if (this.options.lingerMs > 0 && this.hasRoom) await pause(this.options.lingerMs);
        if (this.leftDue) continue;
        const batch = this.waiting.splice(0, this.options.batch);
        await this.run(batch);
        for (const delivery of batch) this.weightBytes -= delivery.weightBytes;
      }
    } catch {
      this.behind = true; // the claim failed: the relay's next look tries again
    } finally {
      this.running = undefined;
    }
  }

  private async takeStored(): Promise<void> {
    this.leftDue = this.lookDue = false;
    const claimed = await this.claim();
    for (const delivery of claimed) this.push(delivery);
    this.waiting.sort(inOrder);
    if (claimed.length > 0)
      this.lookDue = true; // there may be more than one claim takes
    else if (!this.lookDue) this.behind = false; // nobody asked again meanwhile
  }
}

/** As they were told; ids are decimal text. */
const inOrder = (a: Delivery, b: Delivery): number => Number(BigInt(a.eventId) - BigInt(b.eventId));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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
  private handling = false;

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
    return !this.behind && this.waiting.length === 0 && !this.handling;
  }

  offer(delivery: Delivery): void {
    this.push(delivery);
    this.running ??= this.drain();
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

  private push(delivery: Delivery): void {
    this.waiting.push(delivery);
    this.weightBytes += delivery.weightBytes;
  }

  private async drain(): Promise<void> {
    try {
      for (;;) {
        // Not while a full batch waits: a slow consumer would claim ever more, past its lease, and wear out the attempts.
        if ((this.lookDue && this.waiting.length < this.options.batch) || (this.behind && this.waiting.length === 0)) {
          const claimed = await this.claim();
          this.lookDue = claimed.length > 0; // there may be more than one claim takes
          if (claimed.length === 0) this.behind = false;
          for (const delivery of claimed) this.push(delivery);
        }
        if (this.waiting.length === 0) return;
        if (this.options.lingerMs > 0 && this.waiting.length < this.options.batch) await pause(this.options.lingerMs);
        const batch = this.waiting.splice(0, this.options.batch);
        this.handling = true;
        await this.run(batch);
        this.handling = false;
        for (const delivery of batch) this.weightBytes -= delivery.weightBytes;
      }
    } catch {
      this.behind = true; // the claim failed: the relay's next look tries again
    } finally {
      this.handling = false;
      this.running = undefined;
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

import type { QueueLimits } from './handler.decorator.js';

/** What happens to a queue, for metrics and logs. */
export type QueueObserver<Data> = Readonly<{
  dropped(data: Data, weight: number): void;
  depth(weight: number): void;
  failed(error: unknown): void;
}>;

/** A bounded queue in front of one slow hearer: one call at a time, each with all that waited, drops counted. */
export class HearingQueue<Data> {
  private waiting: { data: Data; weight: number }[] = [];
  private weight = 0;
  private running: Promise<void> | undefined;
  /** Set before the first call: that one may offer more, or throw before it waits. */
  private draining = false;

  constructor(
    private readonly limits: Omit<QueueLimits<Data>, 'bound'> & Readonly<{ bound: number }>,
    private readonly run: (batch: readonly Data[]) => Promise<void>,
    private readonly observer: QueueObserver<Data>,
  ) {}

  offer(data: Data): void {
    const weight = this.limits.weigh(data);
    if (this.weight + weight > this.limits.bound && this.weight > 0) {
      this.observer.dropped(data, weight);
      return;
    }
    this.waiting.push({ data, weight });
    this.weight += weight;
    this.observer.depth(this.weight);
    if (!this.draining) this.running = this.drain();
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    while (this.draining) await this.running;
  }

  private async drain(): Promise<void> {
    this.draining = true;
    while (this.waiting.length > 0) {
      const { batch, weight } = this.take();
      try {
        await this.run(batch);
      } catch (error) {
        this.observer.failed(error);
      }
      this.weight -= weight;
      this.observer.depth(this.weight);
    }
    this.draining = false;
  }

  /** Weight stays counted until the batch is done, so the bound holds what is in flight too. */
  private take(): { batch: Data[]; weight: number } {
    const batch: Data[] = [];
    let weight = 0;
    let count = 0;
    for (const one of this.waiting) {
      if (count > 0 && weight + one.weight > this.limits.take) break;
      batch.push(one.data);
      weight += one.weight;
      count++;
    }
    this.waiting.splice(0, count);
    return { batch, weight };
  }
}

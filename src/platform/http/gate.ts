import { AppError } from '../errors/index.js';

/** Lets a few in at a time; some more wait for their turn, in order and for a while, and hold nothing meanwhile. */
export class Gate {
  private inside = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(
    /** What there is no room for, as an answer names it. */
    private readonly what: string,
    private readonly most: number,
    private readonly mostWaiting: number,
    private readonly waitMs: number,
  ) {}

  /** Throws `http.busy` when too many wait already, or the turn did not come in time. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.enter();
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.inside--;
    }
  }

  private async enter(): Promise<void> {
    if (this.inside < this.most) {
      this.inside++;
      return;
    }
    if (this.waiting.length >= this.mostWaiting) throw this.busy();
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        reject(this.busy());
      }, this.waitMs).unref();
      this.waiting.push(turn);
    });
  }

  private busy(): AppError {
    return new AppError('http.busy', `${this.most} ${this.what} are under way already: try again in a moment`);
  }
}

/**
 * A sum with what rounding took from it (Neumaier's): of the trades of a minute it is what the exact decimal sum of a candle
 * is as a number, so a market that lived through a minute and one that was warmed with its candle agree.
 */
export class ExactSum {
  private sum = 0;
  private lost = 0;

  add(value: number): number {
    const sum = this.sum + value;
    this.lost += Math.abs(this.sum) >= Math.abs(value) ? this.sum - sum + value : value - sum + this.sum;
    this.sum = sum;
    return sum + this.lost;
  }

  clear(): void {
    this.sum = 0;
    this.lost = 0;
  }

  set({ sum, lost }: ExactSum): void {
    this.sum = sum;
    this.lost = lost;
  }
}

import type { AnomalyKind } from '../../contracts/index.js';
import type { InputRef } from '../conditions/index.js';
import { MINUTE_US } from './minutes.js';

type AnomalyRef = Extract<InputRef, { kind: 'anomaly' }>;

/** Anomalies told of a market: the last of each kind. */
export class ToldAnomalies {
  private readonly lastUs = new Map<AnomalyKind | 'any', number>();
  /** How long what is wanted lasts, distinct. */
  private wanted: readonly AnomalyRef[] = [];
  /** The next instant that a value falls back to 0 at. */
  private fallsUs = Infinity;

  want(wanted: readonly AnomalyRef[], nowUs: number): void {
    this.wanted = wanted;
    this.findFall(nowUs);
  }

  tell(anomaly: AnomalyKind, atUs: number, nowUs: number): void {
    for (const kind of [anomaly, 'any'] as const)
      this.lastUs.set(kind, Math.max(this.lastUs.get(kind) ?? -Infinity, atUs));
    this.findFall(nowUs);
  }

  /** Whether a value fell back to 0. */
  advance(nowUs: number): boolean {
    if (nowUs < this.fallsUs) return false;
    this.findFall(nowUs);
    return true;
  }

  value(ref: AnomalyRef, nowUs: number): number {
    return nowUs < this.endUs(ref) ? 1 : 0;
  }

  private endUs({ anomaly, minutes }: AnomalyRef): number {
    return (this.lastUs.get(anomaly) ?? -Infinity) + minutes * MINUTE_US;
  }

  private findFall(nowUs: number): void {
    this.fallsUs = Infinity;
    for (const ref of this.wanted) {
      const endUs = this.endUs(ref);
      if (endUs > nowUs && endUs < this.fallsUs) this.fallsUs = endUs;
    }
  }
}

/** The last value of something that is told now and then; one that is older than it is not news. */
export class LastTold {
  value = NaN;
  private atUs = -Infinity;
  /** It is from history, where what is before it may be known and not be told yet. */
  private isRead = false;

  tell(value: number, atUs: number): boolean {
    if (atUs < this.atUs) return false;
    this.atUs = atUs;
    this.value = value;
    this.isRead = false;
    return true;
  }

  read(value: number, atUs: number): void {
    if (this.tell(value, atUs)) this.isRead = true;
  }

  /** Makes room for what is told of before the value that was read; answers that one, to be read again. */
  giveWay(atUs: number): Told | undefined {
    if (!this.isRead || atUs >= this.atUs) return undefined;
    const read = { value: this.value, atUs: this.atUs };
    this.atUs = -Infinity;
    return read;
  }
}

export type Told = Readonly<{ value: number; atUs: number }>;

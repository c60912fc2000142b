import type { PollId } from '../../contracts/index.js';
import type { FrameError, HttpRequest } from '../connectors/connector.js';

/** A value that a source tells, as exact canonical decimal text, above zero. */
export type Observation = Readonly<{
  value: string;
  /** The source's own time of it, epoch microseconds; absent where it tells none. */
  observedAtUs?: number;
}>;

/** What a good answer holds. */
export type Observed = Readonly<{
  observations: readonly Observation[];
  /** Values that are no positive decimals, or have no readable time; the others count all the same. */
  refused: readonly FrameError[];
}>;

/** One REST source of one series as plain data and pure functions; poller.service.ts owns the timer and the requests. */
export type Poll = Readonly<{
  /** The `source` of its entries. */
  id: PollId;
  exchange: string;
  /** Canonical: upper case, no separator. */
  symbol: string;
  everyMs: number;
  /** `lastGoodAgoMs`: since the last good answer to this process; undefined before the first. */
  request(lastGoodAgoMs: number | undefined): HttpRequest;
  /** Body of a good answer. Throws FrameError when the answer as a whole is not what the source is known to send. */
  parse(body: string): Observed;
}>;

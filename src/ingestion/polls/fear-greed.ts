import { FrameError } from '../connectors/connector.js';
import { parseAnswer } from './parse-answer.js';
import { jsonText } from '../connectors/rows.js';
import { observedTime } from './observed-time.js';
import { observedValue } from './observed-value.js';
import type { Observation, Observed, Poll } from './poll.js';

const DAY_MS = 86_400_000;
/** Asked for at start, when nobody knows how long this process was away. */
const DAYS_AT_START = 30;
const MOST_DAYS = 365;

/**
 * The Crypto Fear & Greed Index of alternative.me: one number from 0 (fear) to 100 (greed) a day, stamped with the
 * midnight it begins at. Newest first, values and times as text:
 * `{"name":"Fear and Greed Index","data":[{"value":"40","value_classification":"Fear","timestamp":"1551157200",
 * "time_until_update":"68499"}],"metadata":{"error":null}}`. Source: https://alternative.me/crypto/fear-and-greed-index/.
 */
export function fearGreed(url: string, everyMs: number): Poll {
  return {
    id: 'fear-greed',
    exchange: 'alternative.me',
    symbol: 'FEARGREED',
    everyMs,
    request: (lastGoodAgoMs) => {
      const days =
        lastGoodAgoMs === undefined ? DAYS_AT_START : Math.min(MOST_DAYS, Math.ceil(lastGoodAgoMs / DAY_MS) + 2);
      const asked = new URL(url);
      asked.searchParams.set('limit', String(days));
      asked.searchParams.set('format', 'json');
      return { url: asked.href, headers: {} };
    },
    parse,
  };
}

type Row = Readonly<{ value?: unknown; timestamp?: unknown } | null>;

function parse(body: string): Observed {
  const answer = parseAnswer(body) as { data?: unknown; metadata?: { error?: unknown } | null };
  const error = answer.metadata?.error;
  if (error !== undefined && error !== null)
    throw new FrameError('parse.bad-trade', `the index answers with an error: ${jsonText(error)}`, body);
  if (!Array.isArray(answer.data)) throw new FrameError('parse.bad-trade', 'the answer holds no list `data`', body);
  const observations: Observation[] = [];
  const refused: FrameError[] = [];
  for (const row of answer.data as Row[]) {
    const value = observedValue(row?.value);
    const observedAtUs = observedTime(row?.timestamp, 's');
    if (value === undefined || observedAtUs === undefined)
      refused.push(new FrameError('parse.bad-trade', 'a row has no positive value and time', jsonText(row)));
    else observations.push({ value, observedAtUs });
  }
  return { observations, refused };
}

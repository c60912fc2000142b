import type { PollSetting } from '../../platform/config/index.js';
import { FrameError } from '../connectors/connector.js';
import { parseAnswer } from './parse-answer.js';
import { jsonText } from '../connectors/rows.js';
import { observedTime } from './observed-time.js';
import { observedValue } from './observed-value.js';
import type { Observation, Observed, Poll } from './poll.js';

const MOST_VALUES = 1000;

/** One entry of POLLS. Its paths may find several values with as many times: a history, in any order. */
export function jsonPathPoll(setting: PollSetting): Poll {
  const { symbol, url, headers, everyMs } = setting;
  return {
    id: 'poll',
    exchange: new URL(url).hostname,
    symbol,
    everyMs,
    request: () => ({ url, headers }),
    parse: (body) => parse(setting, body),
  };
}

function parse({ value, time, timeUnit }: PollSetting, body: string): Observed {
  const exact = parseAnswer(body);
  const document: unknown = JSON.parse(body);
  const values = find(value, document, exact, body);
  const times = time && find(time, document, exact, body);
  if (values.length === 0) throw new FrameError('parse.bad-trade', `${value.text} finds nothing`, body);
  if (values.length > (time ? MOST_VALUES : 1))
    throw new FrameError('parse.bad-trade', `${value.text} finds ${values.length} values`, body);
  if (times && times.length !== values.length)
    throw new FrameError(
      'parse.bad-trade',
      `${value.text} finds ${values.length} values, ${time!.text} ${times.length} times`,
      body,
    );
  const observations: Observation[] = [];
  const refused: FrameError[] = [];
  for (const [i, found] of values.entries()) {
    const decimal = observedValue(found);
    const observedAtUs = times && observedTime(times[i], timeUnit);
    if (decimal === undefined)
      refused.push(new FrameError('parse.bad-trade', `${shown(found)} is not a positive decimal`, body));
    else if (times && observedAtUs === undefined)
      refused.push(new FrameError('parse.bad-trade', `${shown(times[i])} is not a time`, body));
    else observations.push({ value: decimal, ...(observedAtUs === undefined ? {} : { observedAtUs }) });
  }
  return { observations, refused };
}

/** Paths compare numbers in their filters, so they are searched in the document; what they find is read in its exact twin. */
function find(path: PollSetting['value'], document: unknown, exact: unknown, body: string): unknown[] {
  try {
    return path
      .find(document)
      .map((place) => place.reduce<unknown>((within, key) => (within as Record<string, unknown>)[key], exact));
  } catch (error) {
    throw new FrameError('parse.bad-trade', (error as Error).message, body);
  }
}

const shown = (value: unknown): string => jsonText(value).slice(0, 60);

import { compile } from 'json-p3';
import { durationMs, UNIT_MS } from './duration.js';
import { entriesOf, type Entry, isObject } from './json-list.js';

const MOST_POLLS = 100;
const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,39}$/;
const FIELDS = ['symbol', 'url', 'value', 'time', 'timeUnit', 'every', 'headers'];
export const TIME_UNITS = ['s', 'ms', 'us', 'ns'] as const;
export type TimeUnit = (typeof TIME_UNITS)[number];

/** A JSONPath (RFC 9535) that was found well-formed. */
export type JsonPath = Readonly<{
  text: string;
  /** The places of what it finds, each as the keys that lead there. Throws where the document is nested too deeply. */
  find(document: unknown): (string | number)[][];
}>;

/** One entry of POLLS. */
export type PollSetting = Readonly<{
  symbol: string;
  url: string;
  value: JsonPath;
  time?: JsonPath;
  timeUnit?: TimeUnit;
  everyMs: number;
  headers: Readonly<Record<string, string>>;
}>;

/** Reads POLLS. No fault shows a value: addresses and headers hold keys. */
export function readPolls(text: string | undefined): { polls: PollSetting[]; faults: string[] } {
  if (text === undefined) return { polls: [], faults: [] };
  const entries = entriesOf(text);
  if (!entries) return { polls: [], faults: ['POLLS: the given value (not shown) must be a JSON list of objects'] };
  const faults: string[] = [];
  if (entries.length > MOST_POLLS) faults.push(`POLLS: ${entries.length} entries, at most ${MOST_POLLS}`);
  const polls = entries.flatMap((entry, at) => {
    const wrong: string[] = [];
    const poll = pollOf(entry, wrong);
    if (entries.findIndex((other) => other.symbol === entry.symbol) !== at) wrong.push('symbol: stands twice');
    faults.push(...wrong.map((fault) => `POLLS[${at}].${fault}`));
    return wrong.length === 0 ? [poll] : [];
  });
  return { polls, faults };
}

/** The entry as it is used; it only holds when nothing was found wrong. */
function pollOf(entry: Entry, wrong: string[]): PollSetting {
  const { symbol, url, value, time, timeUnit, every, headers = {} } = entry;
  for (const key of Object.keys(entry))
    if (!FIELDS.includes(key)) wrong.push(`${key.slice(0, 40)}: is none of ${FIELDS.join(', ')}`);
  if (typeof symbol !== 'string' || !SYMBOL.test(symbol))
    wrong.push('symbol: must be upper case letters, digits, dots and hyphens, such as EURUSD');
  if (!isAddress(url)) wrong.push('url: must be an http:// or https:// URL without user and password');
  const everyMs = durationMs(every) ?? 0;
  if (everyMs < 5 * UNIT_MS.s || everyMs > UNIT_MS.d) wrong.push('every: must be a duration from 5s to 1d, such as 1m');
  if (timeUnit !== undefined && !(TIME_UNITS as readonly unknown[]).includes(timeUnit))
    wrong.push(`timeUnit: must be one of ${TIME_UNITS.join(', ')}`);
  if (timeUnit !== undefined && time === undefined) wrong.push('timeUnit: given without time');
  if (!areHeaders(headers)) wrong.push('headers: must be an object of header names and their text');
  const timePath = time === undefined ? undefined : pathOf('time', time, wrong);
  return {
    symbol: symbol as string,
    url: url as string,
    value: pathOf('value', value, wrong),
    ...(timePath ? { time: timePath } : {}),
    ...(timeUnit === undefined ? {} : { timeUnit: timeUnit as TimeUnit }),
    everyMs,
    headers: headers as Record<string, string>,
  };
}

function pathOf(field: string, text: unknown, wrong: string[]): JsonPath {
  try {
    if (typeof text !== 'string') throw new Error('no text');
    const query = compile(text);
    return { text, find: (document) => query.query(document as never).nodes.map(({ location }) => location) };
  } catch (error) {
    wrong.push(`${field}: must be a JSONPath such as $.rates.USD (${(error as Error).message})`);
    return { text: '', find: () => [] };
  }
}

/** Addresses with a password are refused by fetch; it belongs into a header. */
function isAddress(text: unknown): boolean {
  if (typeof text !== 'string' || !/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

function areHeaders(value: unknown): boolean {
  if (!isObject(value) || !Object.values(value).every((one) => typeof one === 'string')) return false;
  try {
    return new Headers(value as Record<string, string>) instanceof Headers;
  } catch {
    return false;
  }
}

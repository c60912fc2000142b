import { bad, type LineFormat, NOTHING } from './format.js';
import { objectText } from './json-lines.js';
import { type MadeIds, noMadeIds } from './made-trade-ids.js';
import { rolesAmong, tradeOf } from './trade-columns.js';

/** A trade a line as a JSON object, by the names that columns have. Numbers are taken as they stand, digit by digit. */
export const tradesJson: LineFormat<MadeIds> = {
  name: 'trades-json',
  yields: 'trades',
  begin: noMadeIds,
  read: (text, memory, options) => {
    const line = objectText(text);
    if (line === '' || line === '[' || line === ']') return NOTHING;
    const entries = entriesOf(line);
    if (entries === undefined) return bad('it is no JSON object');
    const roles = rolesAmong(entries.map(([key]) => key));
    if (roles === undefined) return bad('it has no time, price and size');
    const values = entries.map(([, value]) =>
      typeof value === 'string' || typeof value === 'boolean' ? String(value) : '',
    );
    return tradeOf(values, roles, memory, options);
  },
  likeness: (text) => {
    const line = objectText(text);
    if (!line.startsWith('{') || line.length > LONGEST_TRADE) return 0;
    const keys = entriesOf(line)?.map(([key]) => key) ?? [];
    const roles = rolesAmong(keys);
    return roles?.symbol === undefined || keys.some((key) => OF_EVENTS.has(key)) ? 0 : 1;
  },
};

const LONGEST_TRADE = 2000;
/** Whoever writes these logs a trade, and records none. */
const OF_EVENTS = new Set(['level', 'severity', 'msg', 'message', 'logger']);

function entriesOf(line: string): [string, unknown][] | undefined {
  try {
    const value: unknown = JSON.parse(line, sourceOfNumber);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return Object.entries(value);
  } catch {
    return undefined; // also where it is nested too deep
  }
}

const sourceOfNumber = (_key: string, value: unknown, place?: { source?: string }): unknown =>
  typeof value === 'number' ? place!.source : value;

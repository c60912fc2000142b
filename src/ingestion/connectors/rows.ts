import { comparePositive, type Trade } from '../../contracts/index.js';
import { FrameError, type Parsed } from './connector.js';

/**
 * A frame of several trades, each row read by itself: one that cannot be read spoils no other. Trades come out ascending
 * by id, whatever the order of the venue. `read` gives undefined for a row that lacks something; `wanted` says what.
 */
export function readRows(
  rows: readonly unknown[],
  wanted: string,
  read: (row: Row, index: number) => Trade | undefined,
): Extract<Parsed, { kind: 'trades' }> {
  const trades: Trade[] = [];
  const badRows: FrameError[] = [];
  rows.forEach((row, index) => {
    const trade = typeof row === 'object' && row !== null ? read(row as Row, index) : undefined;
    if (trade) trades.push(trade);
    else badRows.push(badTrade(wanted, jsonText(row)));
  });
  if (trades.length > 1) trades.sort(byId);
  return badRows.length > 0 ? { kind: 'trades', trades, badRows } : { kind: 'trades', trades };
}

/** As `readRows`, for a body of history, where nothing may be left out unseen: throws the first bad row. */
export function readEveryRow(rows: readonly unknown[], wanted: string, read: (row: Row) => Trade | undefined): Trade[] {
  const { trades, badRows } = readRows(rows, wanted, read);
  if (badRows) throw badRows[0]!;
  return [...trades];
}

/** What a row may hold: anything, under any name. */
export type Row = Readonly<Record<string, unknown>>;

/** The error of a row that lacks something of what is `wanted`, or has it of a wrong type. */
export const badTrade = (wanted: string, raw: string): FrameError =>
  new FrameError('parse.bad-trade', `a trade lacks ${wanted}, or has one of a wrong type`, raw);

/** Decimal text of an id below 2^63, as every venue counts them. */
export const isTradeId = (id: unknown): id is string => typeof id === 'string' && /^(0|[1-9]\d{0,17})$/.test(id);

const byId = (a: Trade, b: Trade): number => comparePositive(a.tradeId, b.tradeId);

/** What came as JSON, written again; JSON.stringify has a bound of nesting that JSON.parse has not. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '(nested too deeply)';
  }
}

import { UPLOAD_SOURCE } from '../../contracts/index.js';
import { bad, type LineFormat, NOTHING, type Reading, type ReadOptions } from './format.js';
import { NO_SYMBOL, quoted, sideOfMaker, sourceOf, symbolOfFile, timeIn, tradeReading } from './trade-values.js';

const BINANCE = 'binance';
/** `true,True` stands in older files; times are milliseconds, of spot from 2025 on microseconds. */
const RAW = /^\d{1,19},[\d.]{1,40},[\d.]{1,40},[\d.]{1,60},(?:\d{13}|\d{16}),(?:true|false)(?:,(?:true|false))?$/i;
const AGGREGATE =
  /^\d{1,19},[\d.]{1,40},[\d.]{1,40},-?\d{1,19},-?\d{1,19},(?:\d{13}|\d{16}),(?:true|false)(?:,(?:true|false))?$/i;
const LONGEST_ROW = 300;
/** Futures' files name their columns, spot's do not. */
const HEADER = /^(?:id|trade_?id|agg_?trade_?id|a),\s?(?:price|p),/i;

/**
 * A row of the public archive: `id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch`. Only spot tells the last one: its
 * trades are those that the feed `binance` gives, by their ids. Rows without it are of futures, which number their
 * trades anew, so they go under `upload` unless the client says otherwise.
 * Source: binance/binance-public-data on GitHub, README, and rows of data.binance.vision as it shows them.
 */
export const binanceTrades: LineFormat<null> = {
  name: 'binance-trades',
  yields: 'trades',
  begin: () => null,
  read: (text, _memory, options) =>
    rowOf(text, [6, 7], (cells) => {
      const [id = '', price = '', size = '', , time = '', maker = ''] = cells;
      const source = options.source ?? (cells.length === 7 ? BINANCE : UPLOAD_SOURCE);
      return archived({ id, price, size, time, maker, source }, options);
    }),
  likeness: (text) => likenessOf(text, RAW),
};

/**
 * `aggId,price,qty,firstId,lastId,time,isBuyerMaker,isBestMatch`: all trades of one taker at one price and moment. Their ids
 * are not those of trades, so they can never be recorded under `binance`. An id of which no trade is left has -1 as first.
 */
export const binanceAggTrades: LineFormat<null> = {
  name: 'binance-agg-trades',
  yields: 'trades',
  begin: () => null,
  read: (text, _memory, options) =>
    rowOf(text, [7, 8], ([id = '', price = '', size = '', , , time = '', maker = '']) => {
      const source = sourceOf(options);
      if (source !== UPLOAD_SOURCE) return bad(`aggregate trades have other ids than the trades of ${source}`);
      return archived({ id, price, size, time, maker, source }, options);
    }),
  likeness: (text) => likenessOf(text, AGGREGATE),
};

type Row = Readonly<Record<'id' | 'price' | 'size' | 'time' | 'maker' | 'source', string>>;

function rowOf(text: string, lengths: readonly number[], read: (cells: readonly string[]) => Reading): Reading {
  const line = text.trim();
  if (line === '' || HEADER.test(line.slice(0, 100))) return NOTHING;
  if (line.length > LONGEST_ROW) return bad('it is longer than any row of the archive');
  const cells = line.split(',');
  if (!lengths.includes(cells.length)) return bad(`it has ${cells.length} fields, not ${lengths.join(' or ')}`);
  return read(cells);
}

function archived({ id, price, size, time, maker, source }: Row, options: ReadOptions): Reading {
  const symbol = symbolOfFile(options);
  if (symbol === undefined) return bad(NO_SYMBOL);
  const atUs = timeIn(time, options);
  if (atUs === undefined) return bad(`its time ${quoted(time)} is neither milliseconds nor microseconds`);
  const side = sideOfMaker(maker);
  if (side === null || side === undefined) return bad(`isBuyerMaker ${quoted(maker)} is neither true nor false`);
  return tradeReading({ symbol, source, id, price, size, side, atUs }, options);
}

function likenessOf(text: string, row: RegExp): number {
  if (text.length > LONGEST_ROW) return 0;
  return row.test(text.trim()) ? 1 : 0;
}

import fc from 'fast-check';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import type { Trade } from '../../contracts/index.js';
import { binanceAggTrades, binanceTrades } from './binance-archive.js';
import { cellsOf } from './csv-cells.js';
import { csv } from './csv.js';
import type { LineFormat, Reading, ReadOptions } from './format.js';
import { detectFormat } from './registry.js';
import { tradesCsv } from './trades-csv.js';
import { tradesJson } from './trades-json.js';

const AT_US = Date.parse('2024-08-08T23:55:00Z') * 1000;
const options: ReadOptions = { receivedAtUs: AT_US + 1e12, offsetMinutes: 0 };
const named = (name: string, more: Partial<ReadOptions> = {}): ReadOptions => ({ ...options, name, ...more });

/** Reads lines as a file, its memory kept as JSON after each. */
function readAll(asked: unknown, lines: readonly string[], given: ReadOptions = options): Reading[] {
  const format = asked as LineFormat;
  let memory: unknown = format.begin(given);
  return lines.map((line, index) => {
    const reading = format.read(line, memory, given, index + 1);
    memory = JSON.parse(JSON.stringify(memory));
    return reading;
  });
}

const tradesIn = (format: unknown, lines: readonly string[], given?: ReadOptions): Trade[] =>
  readAll(format, lines, given).flatMap((one) => (one.kind === 'trade' ? [one.trade] : []));
const readOne = (format: unknown, line: string, given?: ReadOptions): Reading => readAll(format, [line], given)[0]!;
const why = (reading: Reading): string => (reading.kind === 'bad' ? reading.message : reading.kind);

describe('binance-trades', () => {
  const SPOT = '1068572091,65083.67000000,0.00058000,37.74852860,1723161300001,True,True';

  it('reads spot rows as the trades that the feed gives', () => {
    expect(tradesIn(binanceTrades, [SPOT], named('BTCUSDT-trades-2024-08-08.csv'))).toEqual([
      {
        source: 'binance',
        exchange: 'Binance',
        symbol: 'BTCUSDT',
        venueSymbol: 'BTCUSDT',
        tradeId: '1068572091',
        price: '65083.67',
        size: '0.00058',
        side: 'sell',
        tradedAtUs: AT_US + 1000,
        receivedAtUs: options.receivedAtUs,
      },
    ]);
  });

  it('tells milliseconds from microseconds by their size', () => {
    const rows = [SPOT, SPOT.replace('1723161300001', '1723161300001234')];
    const times = tradesIn(binanceTrades, rows, named('', { symbol: 'btc-usdt' })).map(({ tradedAtUs }) => tradedAtUs);
    expect(times).toEqual([AT_US + 1000, AT_US + 1234]);
  });

  it('passes over a header, and keeps trades of futures apart from those of spot, which have other ids', () => {
    const rows = ['id,price,qty,quote_qty,time,is_buyer_maker', '5,1.5,2,3,1723161300001,false'];
    const given = named('BTCUSDT-trades-2024-08.csv');
    expect(readAll(binanceTrades, rows, given).map(({ kind }) => kind)).toEqual(['nothing', 'trade']);
    expect(tradesIn(binanceTrades, rows, given)[0]).toMatchObject({ source: 'upload', side: 'buy', tradeId: '5' });
    expect(tradesIn(binanceTrades, rows, { ...given, source: 'binance' })[0]).toMatchObject({ source: 'binance' });
  });

  it.each([
    ['no symbol', SPOT, options, 'nothing tells its symbol: say symbol when you upload the file again'],
    ['a row cut short', '1,2,3', named('A-trades-1'), 'it has 3 fields, not 6 or 7'],
    [
      'a price of nothing',
      SPOT.replace('65083.67000000', '0'),
      named('AB-trades-1'),
      'its price "0" is not a positive decimal',
    ],
    [
      'a side of nothing',
      SPOT.replace('True,', 'x,'),
      named('AB-trades-1'),
      'isBuyerMaker "x" is neither true nor false',
    ],
    [
      'an id of nothing',
      `x${SPOT}`,
      named('AB-trades-1'),
      'its id "x1068572091" is not an integer between 0 and 2^63 - 2',
    ],
    [
      'seconds of 1970',
      SPOT.replace('1723161300001', '17'),
      named('AB-trades-1'),
      'its time "17" is neither milliseconds nor microseconds',
    ],
  ])('refuses %s', (_what, line, given, message) => {
    expect(why(readOne(binanceTrades, line, given))).toBe(message);
  });
});

describe('binance-agg-trades', () => {
  const ROW = '100,65083.67,0.5,200,203,1723161300001,false,true';

  it('reads them under upload, for their ids are their own', () => {
    const [trade] = tradesIn(binanceAggTrades, [ROW], named('BTCUSDT-aggTrades-2024-08-08.csv'));
    expect(trade).toMatchObject({ source: 'upload', symbol: 'BTCUSDT', tradeId: '100', size: '0.5', side: 'buy' });
    expect(why(readOne(binanceAggTrades, ROW, named('BTCUSDT-aggTrades-1', { source: 'binance' })))).toBe(
      'aggregate trades have other ids than the trades of binance',
    );
  });
});

describe('trades-csv', () => {
  it('goes by the header, whatever its order, delimiter and case', () => {
    const header = 'Side;Qty;Pair;Trade_ID;Price;Timestamp';
    expect(tradesIn(tradesCsv, [header, 'SELL;1e-8;BTC/USD;7;"65083.10";2024-08-08T23:55:00.000001Z'])).toEqual([
      {
        source: 'upload',
        exchange: 'Upload',
        symbol: 'BTCUSD',
        venueSymbol: 'BTCUSD',
        tradeId: '7',
        price: '65083.1',
        size: '0.00000001',
        side: 'sell',
        tradedAtUs: AT_US + 1,
        receivedAtUs: options.receivedAtUs,
      },
    ]);
  });

  it('loses no line to a quote that does not close', () => {
    const lines = [
      'symbol,ts,price,size',
      'A,1723161300,1,1',
      '"A,1723161301,1,1',
      'A,1723161302,1',
      'A,1723161303,1,1',
    ];
    expect(readAll(tradesCsv, lines).map(({ kind }) => kind)).toEqual(['nothing', 'trade', 'bad', 'bad', 'trade']);
  });

  it('wants a header', () => {
    expect(why(readOne(tradesCsv, 'A,1723161300,1,1'))).toBe(
      'no line before it names the columns time, price and size',
    );
  });

  it('wants ids of trades that are to be those of a feed', () => {
    const lines = ['symbol,ts,price,size', 'A,1723161300,1,1'];
    expect(why(readAll(tradesCsv, lines, { ...options, source: 'binance' })[1]!)).toBe(
      'trades of binance must tell their ids',
    );
  });
});

describe('trades without ids', () => {
  const row = (second: number, symbol = 'A'): string => `${symbol},${1_723_161_300 + second},1,1`;
  const idsOf = (rows: readonly string[]): string[] =>
    tradesIn(tradesCsv, ['symbol,ts,price,size', ...rows]).map(({ tradeId }) => tradeId);

  it('have the microsecond and their place in it as id, the same again for the same file', () => {
    const rows = [row(0), row(0), row(0, 'B'), row(1), row(0)];
    expect(idsOf(rows)).toEqual(
      [0, 1, 0, 1_000_000_000, 2].map((more) => String(BigInt(AT_US) * 1000n + BigInt(more))),
    );
    expect(idsOf(rows)).toEqual(idsOf(rows));
  });

  it.each([
    ['up', (at: number) => at],
    ['down', (at: number) => 5000 - at],
  ])('are told however long the file, going %s', (_way, secondAt) => {
    const rows = Array.from({ length: 5000 }, (_, at) => row(secondAt(at >> 1)));
    const ids = idsOf(rows);
    expect(ids).toHaveLength(5000);
    expect(new Set(ids).size).toBe(5000);
  });

  it('are refused, not lost, where nobody knows any more how many their microsecond had', () => {
    const lines = ['symbol,ts,price,size', ...Array.from({ length: 2000 }, (_, at) => row(at)), row(0), row(0, 'B')];
    expect(readAll(tradesCsv, lines).slice(-2).map(why)).toEqual([
      'it has no id and comes too late: trades without ids must be in order of time',
      'trade',
    ]);
  });

  it('keep little in the checkpoint', () => {
    const memory = tradesCsv.begin(options);
    tradesCsv.read('symbol,ts,price,size', memory, options, 1);
    for (let at = 0; at < 20_000; at++) tradesCsv.read(row(at, `SYMBOL${at % 1500}`), memory, options, at + 2);
    expect(JSON.stringify(memory).length).toBeLessThan(100_000);
  });

  it('never share an id within a file, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 3000 }), (seconds) => {
        const ids = idsOf(seconds.map((second) => row(second)));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 20 },
    );
  });
});

describe('trades-json', () => {
  it('takes numbers digit by digit', () => {
    const line =
      '{"symbol":"ETH-USD","ts":1723161300000,"price":2700.10000000000000001,"size":1e-9,"id":9007199254740993,"is_buyer_maker":true}';
    expect(tradesIn(tradesJson, ['[', `${line},`, ']'])).toMatchObject([
      {
        symbol: 'ETHUSD',
        price: '2700.10000000000000001',
        size: '0.000000001',
        tradeId: '9007199254740993',
        side: 'sell',
      },
    ]);
  });

  it.each([
    ['{"symbol":"A","ts":1723161300,"price":{},"size":1}', 'its price "" is not a positive decimal'],
    ['{"symbol":"A","ts":1723161300,"size":1}', 'it has no time, price and size'],
    ['[1]', 'it is no JSON object'],
    ['{"symbol":"A"', 'it is no JSON object'],
  ])('refuses %s', (line, message) => expect(why(readOne(tradesJson, line))).toBe(message));
});

describe('csv', () => {
  it('makes an event of each line, with its cells as fields', () => {
    const lines = [
      'Timestamp,Severity,Message,user,',
      '2024-08-08T23:55:00Z,WARN,"a ""b"", c",u1,x',
      '2024-08-08T23:55:01Z,,d,,',
    ];
    expect(readAll(csv, lines)).toEqual([
      { kind: 'nothing' },
      {
        kind: 'event',
        event: { atUs: AT_US, level: 'warn', message: 'a "b", c', fields: { user: 'u1', column5: 'x' } },
      },
      { kind: 'event', event: { atUs: AT_US + 1_000_000, message: 'd', fields: {} } },
    ]);
  });

  it('loses one line to a fault, not those behind it', () => {
    const lines = ['time,msg', '1723161300,a', '1723161301,"b', '1723161302,c,d', '1723161303,e'];
    expect(readAll(csv, lines).map(why)).toEqual([
      'nothing',
      'event',
      'a quote of it does not close',
      'it has 3 fields, its header 2',
      'event',
    ]);
  });
});

describe('detection', () => {
  const rows = (header: string, line: string): string[] => [header, ...Array.from({ length: 50 }, () => line)];

  it.each([
    ['binance-trades', rows('1,2,3,6,1723161300001,True,True', '1,2,3,6,1723161300001234,true,false')],
    ['binance-trades', rows('id,price,qty,quote_qty,time,is_buyer_maker', '1,2,3,6,1723161300001,true')],
    ['binance-agg-trades', rows('1,2,3,6,7,1723161300001,True,True', '1,2,3,6,7,1723161300001,true,true')],
    [
      'binance-agg-trades',
      rows(
        'agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker',
        '1,2,3,6,7,1723161300001,true',
      ),
    ],
    ['trades-csv', rows('symbol,ts,price,size', 'A,1723161300001,1,1')],
    ['trades-csv', ['symbol,ts,price,size']],
    ['trades-json', rows('{"symbol":"A","ts":1,"price":1,"size":1}', '{"symbol":"A","ts":1,"price":"1","size":"1"}')],
    ['json', rows('{"level":"info","symbol":"A","ts":1,"price":1,"size":1}', '{"level":"info","msg":"a"}')],
    ['csv', rows('time,level,message', '2024-08-08 23:55:00,INFO,started')],
    ['csv', rows('date,price,amount', '2024-08-08,1,2')],
    ['text', rows('2024-08-08 23:55:00 INFO one, two', '2024-08-08 23:55:00 INFO one, three')],
  ])('knows %s', (name, lines) => expect(detectFormat(lines)?.name).toBe(name));

  it('takes prose with commas for nothing', () => {
    expect(detectFormat(['Dear all, hello', 'as we said, no', 'sincerely, us'])).toBeUndefined();
  });
});

it('parts a line into cells as csv-parse does', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '"', ',', ' ', '1'), maxLength: 12 });
  fc.assert(
    fc.property(text, (line) => {
      if (line === '') return;
      let expected: string[] | undefined;
      try {
        [expected] = parse(line, { relax_column_count: true });
      } catch {
        expected = undefined;
      }
      expect(cellsOf(line, ',')).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

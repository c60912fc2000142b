import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Trade } from '../contracts/index.js';
import { ERRORS } from '../platform/errors/index.js';
import { checkTrade, isTradeId, type TradeFault } from './trade-rules.js';

const NOW_US = 1_786_309_548_167_634;
const DAY_US = 86_400_000_000;
const trade = (change: Partial<Record<keyof Trade, unknown>> = {}): Trade =>
  ({
    source: 'binance',
    exchange: 'Binance',
    symbol: 'BTCUSDT',
    venueSymbol: 'BTCUSDT',
    tradeId: '1068572091',
    price: '65083.67',
    size: '0.01034361',
    side: 'buy',
    tradedAtUs: NOW_US - 1000,
    receivedAtUs: NOW_US,
    ...change,
  }) as Trade;
const check = (change: Partial<Record<keyof Trade, unknown>>): Trade | TradeFault => checkTrade(trade(change), NOW_US);

describe('a trade', () => {
  it('that is right passes as it is', () => {
    const right = trade();
    expect(checkTrade(right, NOW_US)).toBe(right);
  });

  it('gets canonical decimals, and keeps everything else', () => {
    expect(check({ price: '065083.6700', size: '1.00000000' })).toEqual(trade({ price: '65083.67', size: '1' }));
  });

  it('may be a price without a size', () => expect(check({ size: '0.000' })).toEqual(trade({ size: '0' })));

  it('may come without a side', () => {
    const { side: _side, ...untold } = trade();
    expect(checkTrade(untold, NOW_US)).toBe(untold);
  });

  it.each([
    ['validate.price', { price: '0' }, 'price "0" is not'],
    ['validate.price', { price: '0.000' }, 'price "0.000" is not'],
    ['validate.price', { price: '-1' }, 'price "-1" is not'],
    ['validate.price', { price: '1e5' }, 'price "1e5" is not'],
    ['validate.price', { price: '' }, 'price "" is not'],
    ['validate.price', { price: 65083.67 }, 'price 65083.67 is not'],
    ['validate.price', { price: null }, 'price null is not'],
    ['validate.price', { price: undefined }, 'price undefined is not'],
    ['validate.price', { price: 'NaN' }, 'price "NaN" is not'],
    ['validate.size', { size: '-0.1' }, 'size "-0.1" is not'],
    ['validate.size', { size: 'much' }, 'size "much" is not'],
    ['validate.size', { size: undefined }, 'size undefined is not'],
    ['validate.trade-id', { tradeId: '' }, 'trade id "" is not'],
    ['validate.trade-id', { tradeId: '-1' }, 'trade id "-1" is not'],
    ['validate.trade-id', { tradeId: '7.5' }, 'trade id "7.5" is not'],
    ['validate.trade-id', { tradeId: 7 }, 'trade id 7 is not'],
    ['validate.trade-id', { tradeId: '9223372036854775808' }, 'trade id "9223372036854775808" is not'],
    ['validate.trade-id', { tradeId: '10000000000000000000' }, 'trade id "10000000000000000000" is not'],
    ['validate.time', { tradedAtUs: NOW_US + DAY_US + 1 }, `trade time ${NOW_US + DAY_US + 1} is not`],
    ['validate.time', { tradedAtUs: NOW_US / 1000 }, 'is not in microseconds'],
    ['validate.time', { tradedAtUs: Math.floor(NOW_US / 1000) }, 'is not in microseconds'],
    ['validate.time', { tradedAtUs: NOW_US * 1000 }, 'is not in microseconds'],
    ['validate.time', { tradedAtUs: 0 }, 'trade time 0 is not'],
    ['validate.time', { tradedAtUs: NaN }, 'trade time NaN is not'],
    ['validate.time', { tradedAtUs: NOW_US + 0.5 }, 'is not in microseconds'],
    ['validate.time', { tradedAtUs: undefined }, 'trade time undefined is not'],
    ['validate.symbol', { symbol: '' }, 'symbol "" ("BTCUSDT") is malformed'],
    ['validate.symbol', { symbol: 'btcusdt' }, 'symbol "btcusdt"'],
    ['validate.symbol', { symbol: 'BTC USDT' }, 'symbol "BTC USDT"'],
    ['validate.symbol', { symbol: 'B'.repeat(41) }, 'is malformed'],
    ['validate.symbol', { venueSymbol: "BTC'; drop table" }, 'is malformed'],
    ['validate.symbol', { venueSymbol: '' }, 'symbol "BTCUSDT" ("") is malformed'],
  ])('is refused with %s: %o', (code, change, message) => {
    const fault = check(change) as TradeFault;
    expect(fault).toMatchObject({ code, message: expect.stringContaining(message) as string });
    expect(ERRORS).toHaveProperty([fault.code]);
  });

  it('may be named as venues spell it: with slash, colon, dash or small letters', () => {
    for (const venueSymbol of ['BTC/USD', 'BINANCE:BTCUSDT', 'BTC-USD', 'btcusdt', 'BRK.B'])
      expect(check({ venueSymbol })).toMatchObject({ venueSymbol });
  });

  it('may be a day ahead of our clock, and as old as the first block', () => {
    for (const tradedAtUs of [NOW_US + DAY_US, Date.UTC(2009, 0, 3) * 1000])
      expect(check({ tradedAtUs })).toMatchObject({ tradedAtUs });
    expect(check({ tradedAtUs: Date.UTC(2009, 0, 3) * 1000 - 1 })).toMatchObject({ code: 'validate.time' });
  });

  it('is judged without ever throwing, whatever it holds, and a fault stays short', () => {
    const anything = fc.oneof(
      fc.string({ maxLength: 500 }),
      fc.integer(),
      fc.double(),
      fc.constantFrom(null, undefined, true, {}, [], '1'),
    );
    fc.assert(
      fc.property(
        fc.record({
          price: anything,
          size: anything,
          tradeId: anything,
          tradedAtUs: anything,
          symbol: fc.string({ maxLength: 200 }),
          venueSymbol: fc.string({ maxLength: 200 }),
        }),
        (change) => {
          const judged = check(change);
          expect('code' in judged ? judged.message.length < 250 : /^\d+(\.\d+)?$/.test(judged.price)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a trade id', () => {
  it('is an integer from 0 to what a bigint column takes', () => {
    for (const id of ['0', '7', '1068572091', '9007199254740993', '9223372036854775806'])
      expect(isTradeId(id)).toBe(true);
    for (const id of ['9223372036854775808', '-1', '+1', ' 1', '1.0', '1e3', '0x1', '', 1, null, undefined])
      expect(isTradeId(id)).toBe(false);
  });

  it('is written in one way only, since ids are ordered as text', () => {
    for (const id of ['00', '007', '0000000001']) expect(isTradeId(id)).toBe(false);
  });
});

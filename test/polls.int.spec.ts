import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

const MIDNIGHT_US = Date.UTC(2026, 7, 7) * 1000;
const DAY_US = 86_400_000_000;

let app: RunningApp;
let bus: Bus;

beforeAll(async () => {
  const database = await testDatabase();
  app = await startApp(database.connection, { MODULES: 'processing,aggregation' });
  bus = app.app.get(Bus);
  await bus.whenReady();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

function observe(symbol: string, values: Readonly<Record<number, string>>): void {
  const trades = Object.entries(values).map(([atUs, price]): Trade => ({
    source: 'fear-greed',
    exchange: 'alternative.me',
    symbol,
    venueSymbol: symbol,
    tradeId: atUs,
    price,
    size: '0',
    tradedAtUs: Number(atUs),
    receivedAtUs: MIDNIGHT_US + 3 * DAY_US,
  }));
  bus.emit(TradesReceivedV1, { trades });
}

/** What the API answers once candles of all values are there. */
async function candlesOf(
  symbol: string,
  window: string,
  count: number,
  query = '',
): Promise<Record<string, unknown>[]> {
  return eventually(async () => {
    const { body } = await app.get(`/api/v1/ohlcv/${symbol}?window=${window}${query}`);
    expect(body.candles).toHaveLength(count);
    return body.candles as Record<string, unknown>[];
  });
}

it('makes candles of polled values: prices without volume, trades and average', async () => {
  observe('FEARGREED', { [MIDNIGHT_US]: '40', [MIDNIGHT_US + DAY_US]: '47', [MIDNIGHT_US + 2 * DAY_US]: '44' });
  const days = await candlesOf('FEARGREED', '1d', 3);
  expect(days.map(({ open, high, low, close }) => [open, high, low, close])).toEqual(
    ['40', '47', '44'].map((value) => [value, value, value, value]),
  );
  expect(days[0]).toMatchObject({ volume: '0', quoteVolume: '0', trades: 0, vwap: null, incomplete: false });
  const { body } = await app.get('/api/v1/price/FEARGREED');
  expect(body).toMatchObject({ price: '44', size: '0', source: 'fear-greed' });
});

it('fills the hours between two values with the one that stands', async () => {
  observe('HOURLY', { [MIDNIGHT_US]: '40', [MIDNIGHT_US + DAY_US]: '47' });
  const hours = await candlesOf('HOURLY', '1h', 25, '&fill=previous');
  expect(hours.map(({ close }) => close)).toEqual([...Array(24).fill('40'), '47']);
});

it('tells the change of a day against the value that stood when it began', async () => {
  observe('DAILY', { [MIDNIGHT_US]: '40', [MIDNIGHT_US + DAY_US]: '50' });
  await candlesOf('DAILY', '1d', 2);
  expect((await app.get('/api/v1/24h-change/DAILY')).body).toMatchObject({
    price: '50',
    openPrice: '40',
    priceChange: '10',
    priceChangePercent: 25,
    high: '50',
    low: '40',
    volume: '0',
    volumeChangePercent: null,
    trades: 0,
  });
});

it('takes the first value where nothing stood before it', async () => {
  observe('FIRST', { [MIDNIGHT_US]: '7' });
  await candlesOf('FIRST', '1m', 1);
  expect((await app.get('/api/v1/24h-change/FIRST')).body).toMatchObject({ openPrice: '7', priceChangePercent: 0 });
});

it('keeps the first value when another comes under its time', async () => {
  observe('REVISED', { [MIDNIGHT_US]: '40' });
  await candlesOf('REVISED', '1m', 1);
  observe('REVISED', { [MIDNIGHT_US]: '99', [MIDNIGHT_US + 60_000_000]: '41' });
  const minutes = await candlesOf('REVISED', '1m', 2);
  expect(minutes.map(({ high }) => high)).toEqual(['40', '41']);
});

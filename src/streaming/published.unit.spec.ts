import { describe, expect, it } from 'vitest';
import {
  AlertFiredV1,
  AlertResolvedV1,
  AnomalyDetectedV1,
  type CandleData,
  CandlesClosedV1,
  CandlesRevisedV1,
  CandlesUpdatedV1,
  DeliveryReceivedV1,
  FeedChangedV1,
  type FileData,
  FileFinishedV1,
  FileProgressedV1,
  FileReceivedV1,
  TradesRecordedV1,
} from '../contracts/index.js';
import { durableEvents, publicationOf, STREAM_TYPES } from './published.js';

const AT_US = Date.UTC(2026, 7, 9, 21, 5, 48) * 1000 + 167_634;

const series = {
  source: 'binance',
  exchange: 'Binance',
  symbol: 'BTCUSDT',
  venueSymbol: 'BTCUSDT',
  tradeIds: ['1', '2'],
  prices: ['65083.67', '65083.7'],
  sizes: ['0.01034361', '1'],
  sides: 'b-',
  tradedAtUs: [AT_US, AT_US],
  firstReceivedAtUs: AT_US + 5,
};

const candle: CandleData = {
  source: 'binance',
  symbol: 'BTCUSDT',
  interval: '1m',
  openTimeUs: Date.UTC(2026, 7, 9, 21, 5) * 1000,
  closeTimeUs: Date.UTC(2026, 7, 9, 21, 6) * 1000,
  open: '1',
  high: '3',
  low: '1',
  close: '2',
  volume: '3',
  quoteVolume: '5',
  trades: 4,
  takerBuyVolume: '1',
  takerBuyQuoteVolume: '2',
  closed: false,
  revision: 0,
  incomplete: false,
};

const jsonOf = (publication: ReturnType<typeof publicationOf>): unknown[] =>
  JSON.parse(`[${publication.groups.map((group) => group.ws()).join(',')}]`) as unknown[];

describe('published', () => {
  it('names every type once', () => {
    expect(STREAM_TYPES).toEqual(['trade', 'candle', 'candle-closed', 'anomaly', 'alert', 'webhook', 'feed', 'file']);
    expect(durableEvents()).toEqual([
      TradesRecordedV1,
      CandlesClosedV1,
      CandlesRevisedV1,
      AnomalyDetectedV1,
      AlertFiredV1,
      AlertResolvedV1,
      DeliveryReceivedV1,
      FileReceivedV1,
      FileFinishedV1,
    ]);
    expect(durableEvents(['candle', 'feed'])).toEqual([]);
  });

  it('makes a trade, without a side where the venue told none', () => {
    const publication = publicationOf(TradesRecordedV1.name, { series: [series] }, '77');
    expect(jsonOf(publication)).toEqual([
      {
        type: 'trade',
        symbol: 'BTCUSDT',
        source: 'binance',
        price: '65083.67',
        size: '0.01034361',
        side: 'buy',
        tradeId: '1',
        tradedAt: '2026-08-09T21:05:48.167634Z',
      },
      {
        type: 'trade',
        symbol: 'BTCUSDT',
        source: 'binance',
        price: '65083.7',
        size: '1',
        tradeId: '2',
        tradedAt: '2026-08-09T21:05:48.167634Z',
      },
    ]);
    expect(publication.receivedUs).toBe(AT_US + 5);
  });

  it('gives every update of a durable event an id of its own, the last one that of the event', () => {
    const eth = { ...series, symbol: 'ETHUSDT', venueSymbol: 'ETHUSDT' };
    const { groups } = publicationOf(TradesRecordedV1.name, { series: [series, eth] }, '77');
    const ids = groups.flatMap((group) => [...group.sse().matchAll(/^id: (.*)$/gm)].map(([, id]) => id));
    expect(ids).toEqual(['77.0', '77.1', '77.2', '77']);
    expect(groups[1]!.sseAfter(2)).toMatch(/^event: trade\nid: 77\ndata: \{"symbol":"ETHUSDT".*\}\n\n$/);
    expect(groups[0]!.sseAfter(2)).toBe('');
  });

  it('makes a candle with its volume-weighted price, null without volume', () => {
    const empty = { ...candle, interval: '5m' as const, volume: '0', quoteVolume: '0' };
    const publication = publicationOf(CandlesUpdatedV1.name, { candles: [candle, empty] });
    expect(jsonOf(publication)).toEqual([
      {
        type: 'candle',
        symbol: 'BTCUSDT',
        source: 'binance',
        window: '1m',
        openTime: '2026-08-09T21:05:00Z',
        closeTime: '2026-08-09T21:06:00Z',
        open: '1',
        high: '3',
        low: '1',
        close: '2',
        volume: '3',
        quoteVolume: '5',
        trades: 4,
        takerBuyVolume: '1',
        takerBuyQuoteVolume: '2',
        vwap: '1.66666667',
        closed: false,
        revision: 0,
        incomplete: false,
      },
      expect.objectContaining({ window: '5m', vwap: null }),
    ]);
    expect(publication.groups[0]!.sse()).not.toContain('id:');
  });

  it('groups candles of one symbol and interval, and counts ids along the groups', () => {
    const eth = { ...candle, symbol: 'ETHUSDT' };
    const { groups } = publicationOf(CandlesRevisedV1.name, { candles: [candle, eth, candle] }, '8');
    expect(groups.map((group) => [group.subject.type, group.subject.symbol, group.count])).toEqual([
      ['candle-closed', 'BTCUSDT', 2],
      ['candle-closed', 'ETHUSDT', 1],
    ]);
    expect(groups.map((group) => [...group.sse().matchAll(/^id: (.*)$/gm)].map(([, id]) => id))).toEqual([
      ['8.0', '8.1'],
      ['8'],
    ]);
  });

  it('makes an alert of its firing and of its end, which can be resumed from', () => {
    const told = { ruleId: 'btc_high', name: 'High', severity: 'high', condition: 'price > 1', value: 2 } as const;
    const fired = { alertId: '4', ...told, source: 'binance', symbol: 'BTCUSDT', atUs: AT_US, silenced: false };
    const publication = publicationOf(AlertFiredV1.name, { ...fired, reason: 'condition' }, '9');
    expect(publication.groups[0]!.subject).toEqual({ type: 'alert', source: 'binance', symbol: 'BTCUSDT' });
    expect(jsonOf(publication)).toMatchObject([
      { type: 'alert', id: '4', state: 'firing', ...told, reason: 'condition', at: '2026-08-09T21:05:48.167634Z' },
    ]);
    const ended = { ...fired, reason: 'deleted', startedAtUs: AT_US, occurrences: 3 };
    expect(jsonOf(publicationOf(AlertResolvedV1.name, ended, '10'))).toMatchObject([
      { state: 'resolved', reason: 'deleted', occurrences: 3, startedAt: '2026-08-09T21:05:48.167634Z' },
    ]);
    const raised = publicationOf(AlertFiredV1.name, { ...fired, source: '', symbol: '' }, '11');
    expect(raised.groups[0]!.subject).toEqual({ type: 'alert', source: '' });
  });

  it('makes an anomaly, which can be resumed from', () => {
    const found = { kind: 'price-drop', detector: 'zscore', severity: 'high', score: 11.2, threshold: 5.5 } as const;
    const numbers = { value: -0.0121, expected: 1e-5, lower: -0.0059, upper: 0.0059 };
    const data = { anomalyId: '17', source: 'binance', symbol: 'BTCUSDT', ...found, ...numbers, atUs: AT_US };
    const publication = publicationOf(AnomalyDetectedV1.name, data, '9');
    const body = { id: '17', symbol: 'BTCUSDT', source: 'binance', ...found, ...numbers };
    expect(jsonOf(publication)).toEqual([{ type: 'anomaly', ...body, at: '2026-08-09T21:05:48.167634Z' }]);
    expect(publication.groups[0]!.sse()).toMatch(/^event: anomaly\nid: 9\n/);
  });

  it('makes a file as REST tells it, of which only the beginning and the end can be resumed from', () => {
    const data: FileData = {
      fileId: 'f',
      name: 'a.log',
      status: 'processing',
      format: 'json',
      sha256: 'ab',
      duplicateOf: null,
      counts: { bytes: 9, readBytes: 5, lines: 4, events: 3, trades: 0, bad: 1, truncated: 0, replaced: 0 },
      percent: 55.5,
      error: null,
      receivedAtUs: AT_US,
      finishedAtUs: null,
    };
    const { fileId: id, receivedAtUs: _, finishedAtUs: __, ...told } = data;
    const body = { type: 'file', id, ...told, receivedAt: '2026-08-09T21:05:48.167634Z', finishedAt: null };
    for (const event of [FileReceivedV1, FileProgressedV1, FileFinishedV1])
      expect(jsonOf(publicationOf(event.name, data))).toEqual([body]);
    expect(durableEvents(['file'])).toEqual([FileReceivedV1, FileFinishedV1]);
  });

  it('makes the state of a feed', () => {
    const data = { source: 'binance', state: 'waiting', reason: 'the venue closed', atUs: AT_US };
    expect(jsonOf(publicationOf(FeedChangedV1.name, data))).toEqual([
      {
        type: 'feed',
        source: 'binance',
        state: 'waiting',
        reason: 'the venue closed',
        at: '2026-08-09T21:05:48.167634Z',
      },
    ]);
  });
});

import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { AnomalyKind, IntervalName } from '../../contracts/index.js';
import { CUSTOM_SOURCE, formatInstant, parseInstant } from '../../contracts/index.js';
import { Settings } from '../../platform/config/index.js';
import { AppError } from '../../platform/errors/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import { beforeIt, type HistoricalTrade, inOrder, type MarketKey, type TradePosition } from './trade-position.js';

const PAGE = 1000;
const ANSWER_WITHIN_MS = 15_000;

/** A bar that was over; incomplete where a hole in the trades touches it. Until it is closed, trades may be missing in it. */
export type HistoricalBar = Bar & Readonly<{ trades: number; incomplete: boolean; isClosed: boolean }>;
export type HistoricalAnomaly = Readonly<{ kind: AnomalyKind; atUs: number }>;
export type HistoricalPoint = Readonly<{ value: number; atUs: number }>;

/**
 * What was recorded, read over HTTP as anybody reads it: modules do not read each other's tables. The address is that of
 * this process, or HISTORY_URL where alerts run without processing and aggregation.
 */
@Injectable()
export class History {
  constructor(
    private readonly settings: Settings,
    private readonly host: HttpAdapterHost,
  ) {}

  /** Whether there is somebody to ask: this process listens, or another one is named. */
  get isReachable(): boolean {
    return this.settings.HISTORY_URL !== undefined || this.address() !== null;
  }

  /** Every series that recorded a trade. */
  async series(): Promise<MarketKey[]> {
    const body = await this.ask<{ items: MarketKey[] }>('/symbols', {});
    return (body?.items ?? []).map(({ source, symbol }) => ({ source, symbol }));
  }

  /** Every custom series: a market whose prices are its points. */
  async customSeries(): Promise<MarketKey[]> {
    const found: MarketKey[] = [];
    for await (const page of this.pages<CustomSeriesPage>('/metrics/custom', { limit: PAGE }))
      found.push(...page.items.map(({ name }) => ({ source: CUSTOM_SOURCE, symbol: name })));
    return found;
  }

  /** The last `count` candles that were over by an instant, oldest first; fewer where there are no more. */
  async bars(
    { source, symbol }: MarketKey,
    interval: IntervalName,
    untilUs: number,
    count: number,
  ): Promise<HistoricalBar[]> {
    const bars: HistoricalBar[] = [];
    let cursor: string | null = null;
    do {
      const limit = Math.min(PAGE, count - bars.length);
      const query: Query = { source, window: interval, to: formatInstant(untilUs), limit, ...from(cursor) };
      const page: CandlesPage | undefined = await this.ask(`/ohlcv/${encodeURIComponent(symbol)}`, query);
      if (!page) break;
      bars.unshift(...page.candles.filter(({ closeTime }) => instant(closeTime) <= untilUs).map(barOf));
      cursor = page.nextCursor;
    } while (cursor !== null && bars.length < count);
    return bars;
  }

  /** Trades of [fromUs, toUs) in order, by the page. */
  async *trades({ source, symbol }: MarketKey, fromUs: number, toUs: number): AsyncGenerator<HistoricalTrade[]> {
    if (fromUs >= toUs) return;
    const span = { from: formatInstant(fromUs), to: formatInstant(toUs), limit: PAGE };
    if (source === CUSTOM_SOURCE) {
      for await (const page of this.pages<PointsPage>(pathOfPoints(symbol), span))
        yield page.items.map(priceOf).toSorted(inOrder);
      return;
    }
    const query = { source, ...span };
    for await (const page of this.pages<TradesPage>(`/trades/${encodeURIComponent(symbol)}`, query))
      yield page.items.map(tradeOf);
  }

  /** Trades from an instant up to a position, that one included. */
  async tradesUpTo(key: MarketKey, fromUs: number, position: TradePosition): Promise<HistoricalTrade[]> {
    const found: HistoricalTrade[] = [];
    for await (const page of this.trades(key, fromUs, position.tradedAtUs + 1))
      found.push(...page.filter((trade) => !beforeIt(position, trade)));
    return found;
  }

  /** The last trade, of all or of those before an instant. */
  async lastTrade({ source, symbol }: MarketKey, toUs?: number): Promise<HistoricalTrade | undefined> {
    const query = { source, limit: 1, ...(toUs !== undefined && { to: formatInstant(toUs) }) };
    const page = await this.ask<TradesPage>(`/trades/${encodeURIComponent(symbol)}`, query);
    const last = page?.items.at(-1);
    return last && tradeOf(last);
  }

  async anomalies({ source, symbol }: MarketKey, fromUs: number, toUs: number): Promise<HistoricalAnomaly[]> {
    const query = { source, from: formatInstant(fromUs), to: formatInstant(toUs), limit: PAGE };
    const found: HistoricalAnomaly[] = [];
    for await (const page of this.pages<AnomaliesPage>(`/metrics/${encodeURIComponent(symbol)}/anomalies`, query))
      found.push(...page.items.map(({ kind, at }) => ({ kind, atUs: instant(at) })));
    return found;
  }

  /** Points of a custom series within [fromUs, toUs), oldest first. */
  async points(name: string, fromUs: number, toUs: number): Promise<HistoricalPoint[]> {
    const found: HistoricalPoint[] = [];
    for await (const page of this.trades({ source: CUSTOM_SOURCE, symbol: name }, fromUs, toUs))
      found.push(...page.map(({ price, tradedAtUs }) => ({ value: price, atUs: tradedAtUs })));
    return found;
  }

  /** The last point before an instant. */
  async lastPoint(name: string, toUs: number): Promise<HistoricalPoint | undefined> {
    const page = await this.ask<PointsPage>(pathOfPoints(name), { to: formatInstant(toUs), limit: 1 });
    const last = page?.items.at(-1);
    return last && { value: Number(last.value), atUs: instant(last.at) };
  }

  private async *pages<Page extends { nextCursor: string | null }>(path: string, query: Query): AsyncGenerator<Page> {
    let cursor: string | null = null;
    do {
      const page: Page | undefined = await this.ask<Page>(path, { ...query, ...from(cursor) });
      if (!page) return;
      yield page;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** The answer; undefined when nothing of it was ever recorded. */
  private async ask<Body>(path: string, query: Query): Promise<Body | undefined> {
    const parameters = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, `${value}`]),
    );
    let response: Response;
    try {
      response = await fetch(`${this.baseUrl()}/api/v1${path}?${parameters.toString()}`, {
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        redirect: 'error',
      });
    } catch (cause) {
      throw new AppError('alerts.no-history', `history does not answer: ${(cause as Error).message}`, { cause });
    }
    if (response.status === 404) return void (await response.body?.cancel());
    if (!response.ok) {
      await response.body?.cancel();
      throw new AppError('alerts.no-history', `history answered ${path} with ${response.status}`);
    }
    return (await response.json()) as Body;
  }

  private baseUrl(): string {
    if (this.settings.HISTORY_URL !== undefined) return this.settings.HISTORY_URL.replace(/\/$/, '');
    const address = this.address();
    if (!address) throw new AppError('alerts.no-history', 'this process does not listen yet');
    const isAny = address.address === '0.0.0.0' || address.address === '::';
    const host = isAny ? '127.0.0.1' : address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `http://${host}:${address.port}`;
  }

  private address(): Address | null {
    const server = this.host.httpAdapter?.getHttpServer() as { address(): Address | string | null } | undefined;
    const address = server?.address() ?? null;
    return typeof address === 'string' ? null : address;
  }
}

type Query = Readonly<Record<string, string | number>>;
type Address = Readonly<{ address: string; family: string; port: number }>;
type CandleBody = Readonly<
  Record<'openTime' | 'closeTime' | 'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume', string> & {
    trades: number;
    incomplete: boolean;
    closed: boolean;
  }
>;
type CandlesPage = Readonly<{ candles: CandleBody[]; nextCursor: string | null }>;
type TradeBody = Readonly<Record<'tradeId' | 'price' | 'size' | 'tradedAt', string>>;
type TradesPage = Readonly<{ items: TradeBody[]; nextCursor: string | null }>;
type AnomaliesPage = Readonly<{ items: { kind: AnomalyKind; at: string }[]; nextCursor: string | null }>;
type PointBody = Readonly<{ key: string; value: string; at: string }>;
type CustomSeriesPage = Readonly<{ items: { name: string }[]; nextCursor: string | null }>;
type PointsPage = Readonly<{ items: PointBody[]; nextCursor: string | null }>;

const from = (cursor: string | null): { cursor?: string } => (cursor === null ? {} : { cursor });

const instant = (text: string): number => parseInstant(text)!;

const barOf = (candle: CandleBody): HistoricalBar => ({
  openTimeUs: instant(candle.openTime),
  open: Number(candle.open),
  high: Number(candle.high),
  low: Number(candle.low),
  close: Number(candle.close),
  volume: Number(candle.volume),
  quoteVolume: Number(candle.quoteVolume),
  trades: candle.trades,
  incomplete: candle.incomplete,
  isClosed: candle.closed,
});

const tradeOf = ({ tradeId, price, size, tradedAt }: TradeBody): HistoricalTrade => ({
  tradeId,
  tradedAtUs: instant(tradedAt),
  price: Number(price),
  size: Number(size),
});

const pathOfPoints = (name: string): string => `/metrics/custom/${encodeURIComponent(name)}`;

/** A point as a trade of a market of its own. */
const priceOf = ({ key, value, at }: PointBody): HistoricalTrade => ({
  tradeId: key,
  tradedAtUs: instant(at),
  price: Number(value),
  size: 0,
});

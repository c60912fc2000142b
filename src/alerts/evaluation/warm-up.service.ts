import { Injectable } from '@nestjs/common';
import { CUSTOM_SOURCE, type IntervalName } from '../../contracts/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import { nowUs } from '../../platform/observability/index.js';
import type { InputRef } from '../conditions/index.js';
import { Market } from '../inputs/index.js';
import { History } from './history.service.js';
import type { MarketKey, TradePosition } from './trade-position.js';
import type { MarketPast } from './warm-market.js';

const MINUTE_US = 60_000_000;
/** Minutes whose trades are read where candles are not closed yet; older candles are taken as they are. */
const MOST_OPEN = 15;
export const SENTIMENT: MarketKey = { source: 'fear-greed', symbol: 'FEARGREED' };

/** Reads what a market must know before it goes on. */
@Injectable()
export class WarmUp {
  constructor(private readonly history: History) {}

  /**
   * The past up to a position, that one included; without one up to what was recorded last. Of a custom series it is what was
   * told of it by `toldUntilUs`: later points are still to come. Anomalies and sentiment come by themselves, so of these, and of
   * points nobody was told of, it is all that there is.
   */
  async pastUpTo(
    key: MarketKey,
    inputs: readonly InputRef[],
    given: TradePosition | undefined,
    toldUntilUs: (series: string) => number | undefined,
  ): Promise<MarketPast> {
    const told = await this.toldBefore(key, inputs, Infinity, toldUntilUs);
    if (key.source === CUSTOM_SOURCE)
      return { ...told, ...(await this.pointBefore(key, (given?.tradedAtUs ?? nowUs()) + 1)) };
    const position = given ?? (await this.history.lastTrade(key));
    if (!position) return { ...told, bars: new Map(), trades: [] };
    const minuteUs = Math.floor(position.tradedAtUs / MINUTE_US) * MINUTE_US;
    const { bars, untilUs } = await this.barsBefore(key, inputs, minuteUs);
    const trades = await this.history.tradesUpTo(key, untilUs, position);
    return { ...told, bars, trades };
  }

  /** Points of a custom series are prices; it has no candles. */
  private async pointBefore({ symbol }: MarketKey, beforeUs: number) {
    const last = await this.history.lastPoint(symbol, beforeUs);
    const trades = last ? [{ tradedAtUs: last.atUs, price: last.value, size: 0 }] : [];
    return { bars: new Map<IntervalName, Bar[]>(), trades };
  }

  /** The past up to an instant, exclusive. */
  async pastBefore(key: MarketKey, inputs: readonly InputRef[], beforeUs: number): Promise<MarketPast> {
    const told = await this.toldBefore(key, inputs, beforeUs);
    if (key.source === CUSTOM_SOURCE) return { ...told, ...(await this.pointBefore(key, beforeUs)) };
    const minuteUs = Math.floor(beforeUs / MINUTE_US) * MINUTE_US;
    const { bars, untilUs } = await this.barsBefore(key, inputs, minuteUs);
    const trades = [];
    for await (const page of this.history.trades(key, untilUs, beforeUs)) trades.push(...page);
    return { ...told, bars, trades };
  }

  /**
   * Candles that are closed, and where they end: trades are recorded before they are candles, so the newest minutes may lack
   * some. Those of longer intervals are put together with the minutes, and have what these have.
   */
  private async barsBefore(key: MarketKey, inputs: readonly InputRef[], minuteUs: number) {
    const { minutes, bars: wanted } = new Market(key).want(inputs);
    const count = Math.max(minutes, 1);
    const found = await this.history.bars(key, '1m', minuteUs, count + MOST_OPEN);
    const firstUs = minuteUs - MOST_OPEN * MINUTE_US;
    const open = found.find(({ openTimeUs, isClosed }) => !isClosed && openTimeUs >= firstUs);
    const last = found.at(-1);
    const untilUs = open?.openTimeUs ?? Math.max(firstUs, last ? last.openTimeUs + MINUTE_US : minuteUs);
    const closed = found.filter(({ openTimeUs }) => openTimeUs < untilUs);
    const bars = new Map<IntervalName, readonly Bar[]>([['1m', closed.slice(-count)]]);
    for (const [interval, most] of Object.entries(wanted) as [IntervalName, number][])
      if (interval !== '1m' && most > 0) bars.set(interval, await this.history.bars(key, interval, untilUs, most));
    return { bars, untilUs };
  }

  private async toldBefore(
    key: MarketKey,
    inputs: readonly InputRef[],
    beforeUs: number,
    toldUntilUs: (series: string) => number | undefined = () => undefined,
  ) {
    const toUs = Math.min(beforeUs, nowUs());
    const minutes = Math.max(0, ...inputs.map((input) => (input.kind === 'anomaly' ? input.minutes : 0)));
    const anomalies = minutes > 0 ? await this.history.anomalies(key, toUs - minutes * MINUTE_US, toUs) : [];
    const points = new Map<string, { value: number; atUs: number }>();
    for (const input of inputs) {
      if (input.kind !== 'custom') continue;
      const last = await this.history.lastPoint(input.name, Math.min(toUs, (toldUntilUs(input.name) ?? Infinity) + 1));
      if (last) points.set(input.name, last);
    }
    const wantsSentiment = inputs.some((input) => input.kind === 'variable' && input.name === 'sentiment');
    const sentiment = wantsSentiment ? await this.history.lastTrade(SENTIMENT, toUs) : undefined;
    return { anomalies, points, sentiment: sentiment && { value: sentiment.price, atUs: sentiment.tradedAtUs } };
  }
}

import { Injectable } from '@nestjs/common';
import { CUSTOM_SOURCE, type IntervalName } from '../../contracts/index.js';
import type { Bar } from '../../platform/indicators/index.js';
import type { InputRef } from '../conditions/index.js';
import { Market } from '../inputs/index.js';
import { History } from './history.service.js';
import type { MarketKey, TradePosition } from './trade-position.js';
import type { MarketPast } from './warm-market.js';

const MINUTE_US = 60_000_000;
export const SENTIMENT: MarketKey = { source: 'fear-greed', symbol: 'FEARGREED' };

/** Reads what a market must know before it goes on. */
@Injectable()
export class WarmUp {
  constructor(private readonly history: History) {}

  /** The past up to a position, that one included; without one up to what was recorded last. */
  async pastUpTo(key: MarketKey, inputs: readonly InputRef[], given: TradePosition | undefined): Promise<MarketPast> {
    if (key.source === CUSTOM_SOURCE) return this.pointsUpTo(key, inputs, given);
    const position = given ?? (await this.history.lastTrade(key));
    if (!position) return { ...(await this.toldBefore(key, inputs, Infinity)), bars: new Map(), trades: [] };
    const minuteUs = Math.floor(position.tradedAtUs / MINUTE_US) * MINUTE_US;
    return {
      ...(await this.toldBefore(key, inputs, position.tradedAtUs)),
      bars: await this.barsBefore(key, inputs, minuteUs),
      trades: await this.history.tradesUpTo(key, minuteUs, position),
    };
  }

  /** Points of a custom series are prices; it has no candles. */
  private async pointsUpTo(key: MarketKey, inputs: readonly InputRef[], position: TradePosition | undefined) {
    const untilUs = position?.tradedAtUs ?? Date.now() * 1000;
    const last = (await this.history.points(key.symbol, untilUs, untilUs + 1)).at(-1);
    const told = await this.toldBefore(key, inputs, untilUs);
    return { ...told, bars: new Map(), trades: last ? [{ tradedAtUs: last.atUs, price: last.value, size: 0 }] : [] };
  }

  /** The past up to an instant, exclusive. */
  async pastBefore(key: MarketKey, inputs: readonly InputRef[], untilUs: number): Promise<MarketPast> {
    const minuteUs = Math.floor(untilUs / MINUTE_US) * MINUTE_US;
    const trades = [];
    for await (const page of this.history.trades(key, minuteUs, untilUs)) trades.push(...page);
    const bars = await this.barsBefore(key, inputs, minuteUs);
    return { ...(await this.toldBefore(key, inputs, untilUs)), bars, trades };
  }

  private async barsBefore(key: MarketKey, inputs: readonly InputRef[], minuteUs: number) {
    const { minutes, bars: wanted } = new Market(key).want(inputs);
    const bars = new Map<IntervalName, readonly Bar[]>();
    const counts = { '1m': Math.max(minutes, 1), ...wanted };
    for (const [interval, count] of Object.entries(counts) as [IntervalName, number][])
      if (count > 0) bars.set(interval, await this.history.bars(key, interval, minuteUs, count));
    return bars;
  }

  private async toldBefore(key: MarketKey, inputs: readonly InputRef[], untilUs: number) {
    const toUs = Math.min(untilUs, Date.now() * 1000);
    const minutes = Math.max(0, ...inputs.map((input) => (input.kind === 'anomaly' ? input.minutes : 0)));
    const anomalies = minutes > 0 ? await this.history.anomalies(key, toUs - minutes * MINUTE_US, toUs + 1) : [];
    const points = new Map<string, { value: number; atUs: number }>();
    for (const input of inputs) {
      if (input.kind !== 'custom') continue;
      const last = (await this.history.points(input.name, toUs, toUs + 1)).at(-1);
      if (last) points.set(input.name, last);
    }
    const wantsSentiment = inputs.some((input) => input.kind === 'variable' && input.name === 'sentiment');
    const sentiment = wantsSentiment ? await this.history.lastTrade(SENTIMENT, toUs + 1) : undefined;
    return { anomalies, points, sentiment: sentiment && { value: sentiment.price, atUs: sentiment.tradedAtUs } };
  }
}

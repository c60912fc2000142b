import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { TradesRecordedV1, type TradesRecordedV1Data } from '../contracts/index.js';
import { Hears } from '../platform/bus/index.js';
import { compareIds, comparePositions } from './trade-position.js';
import type { StoredTrade } from './trade.store.js';

/** A first trade that is older when it is received may not be the last one that is recorded: of a file, or fetched. */
const LATE_US = 60_000_000;

/** The last trade of each series that this process saw recorded, so that a price costs no query. */
@Injectable()
export class LastPrices {
  private readonly bySeries = new Map<string, StoredTrade>();

  constructor(@InjectMetric('crypto_price_current') private readonly gauge: Gauge<'source' | 'symbol'>) {}

  get(source: string, venueSymbol: string): StoredTrade | undefined {
    return this.bySeries.get(`${source} ${venueSymbol}`);
  }

  /** Takes what a query found, unless something later is known. */
  learn(source: string, venueSymbol: string, trade: StoredTrade): void {
    const key = `${source} ${venueSymbol}`;
    const known = this.bySeries.get(key);
    if (!known || comparePositions(trade, known) > 0) this.bySeries.set(key, trade);
  }

  @Hears(TradesRecordedV1, 'processing.remember-prices')
  onTradesRecorded({ series }: TradesRecordedV1Data): void {
    for (const one of series) {
      let last = 0;
      for (let i = 1; i < one.tradeIds.length; i++) {
        if (
          one.tradedAtUs[i]! > one.tradedAtUs[last]! ||
          (one.tradedAtUs[i] === one.tradedAtUs[last] && compareIds(one.tradeIds[i]!, one.tradeIds[last]!) > 0)
        )
          last = i;
      }
      const isLate = one.tradedAtUs[last]! < one.firstReceivedAtUs - LATE_US;
      if (isLate && !this.get(one.source, one.venueSymbol)) continue; // a query will tell
      const side = one.sides[last];
      this.learn(one.source, one.venueSymbol, {
        tradeId: one.tradeIds[last]!,
        price: one.prices[last]!,
        size: one.sizes[last]!,
        ...(side === '-' ? {} : { side: side === 'b' ? ('buy' as const) : ('sell' as const) }),
        tradedAtUs: one.tradedAtUs[last]!,
      });
      this.gauge.set({ source: one.source, symbol: one.symbol }, Number(this.get(one.source, one.venueSymbol)!.price));
    }
  }
}

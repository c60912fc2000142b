import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant, tellsSides } from '../../contracts/index.js';
import { durationText } from '../../platform/config/index.js';
import { badParameter, unknownSymbol } from '../../platform/errors/index.js';
import { API, ApiProblems } from '../../platform/http/index.js';
import { CandleStore, type StoredCandle } from '../candles/candle.store.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { Rollups } from '../rollups/rollups.service.js';
import type { Summary } from '../rollups/summary.js';
import { Windows } from '../windows/windows.service.js';
import { FlowBody, type FlowPointBody, FlowQuery, type TradeSizesBody } from './flow.dto.js';
import { FlowStore } from './flow.store.js';
import { MOST_POINTS, NO_SIDES, pointsOf, pressure, type TakerTotals } from './flow.js';

@ApiTags('market')
@Controller(API)
export class FlowController {
  constructor(
    private readonly series: SeriesFinder,
    private readonly windows: Windows,
    private readonly candles: CandleStore,
    private readonly rollups: Rollups,
    private readonly store: FlowStore,
  ) {}

  @Get('flow/:symbol')
  @ApiOperation({ summary: 'What takers bought and sold in a rolling window, how fast, and in what sizes' })
  @ApiOkResponse({ type: FlowBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async flow(@Param('symbol') symbol: string, @Query() query: FlowQuery): Promise<FlowBody> {
    const { window: spanMs, points } = query;
    const allowed = pointsOf(spanMs);
    if (points !== undefined && !allowed.includes(points))
      throw badParameter('points', `must be one of ${allowed.join(', ')} for a window of ${durationText(spanMs)}`);
    const key = await this.series.find(symbol, query.source);
    const window = await this.windows.last(key, spanMs);
    if (!window) throw unknownSymbol(symbol, query.source);
    const { fromUs, toUs } = window;
    const [busiest, sizes, items] = await Promise.all([
      this.store.busiestMinute(window),
      this.rollups.over(key, 'volume', fromUs, toUs),
      points && this.candles.range(key, points, { fromUs, toUs, direction: 'forward', limit: MOST_POINTS }),
    ]);
    return {
      ...key,
      window: durationText(spanMs),
      from: formatInstant(fromUs),
      to: formatInstant(toUs),
      sides: tellsSides(key.source),
      volume: window.volume,
      quoteVolume: window.quoteVolume,
      ...pressureAt(key.source, window),
      trades: window.trades,
      tradesPerSecond: perSecond(window.trades, spanMs),
      busiestMinute: busiest
        ? {
            openTime: formatInstant(busiest.openTimeUs),
            trades: busiest.trades,
            tradesPerSecond: perSecond(busiest.trades, 60_000),
          }
        : null,
      tradeSizes: sizes ? tradeSizesBody(sizes) : null,
      incomplete: window.incomplete,
      ...(items && { items: items.map(pointBody) }),
    };
  }
}

const pressureAt = (source: string, totals: TakerTotals) => (tellsSides(source) ? pressure(totals) : NO_SIDES);

const perSecond = (trades: number, spanMs: number): number => Math.round((trades * 1e7) / spanMs) / 1e4;

function tradeSizesBody(sizes: Summary): TradeSizesBody {
  const { count, min, max, mean, relativeError } = sizes;
  return {
    count,
    min,
    max,
    mean,
    median: sizes.quantile(0.5),
    p95: sizes.quantile(0.95),
    p99: sizes.quantile(0.99),
    relativeError,
    histogram: sizes.histogram(),
  };
}

const pointBody = (candle: StoredCandle): FlowPointBody => ({
  openTime: formatInstant(candle.openTimeUs),
  ...pressureAt(candle.source, candle),
  trades: candle.trades,
  incomplete: candle.incomplete,
});

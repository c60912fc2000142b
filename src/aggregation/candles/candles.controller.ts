import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { candleBody, INTERVALS } from '../../contracts/index.js';
import { API, ApiProblems, cursorAt, cutWindows, type PageRange, rangeOf } from '../../platform/http/index.js';
import { windowStart } from './candle.js';
import { CandleStore, type SeriesKey } from './candle.store.js';
import { type CandleBody, OhlcvBody, OhlcvQuery } from './candles.dto.js';
import { type FilledCandle, fillQuietWindows } from './fill.js';
import { GapStore } from './gap.store.js';
import { SeriesFinder } from './series-finder.service.js';

@ApiTags('market')
@Controller(API)
export class CandlesController {
  constructor(
    private readonly candles: CandleStore,
    private readonly gaps: GapStore,
    private readonly series: SeriesFinder,
  ) {}

  @Get('ohlcv/:symbol')
  @ApiOperation({ summary: 'Candles, oldest first; with `from` pages go forward, without it backward from `to`' })
  @ApiOkResponse({ type: OhlcvBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async ohlcv(@Param('symbol') symbol: string, @Query() query: OhlcvQuery): Promise<OhlcvBody> {
    const key = await this.series.find(symbol, query.source);
    const page = { ...rangeOf(query), limit: query.limit };
    const { items, nextUs } =
      query.fill === 'none' ? await this.plainPage(key, query, page) : await this.filledPage(key, query, page);
    return {
      symbol: key.symbol,
      source: key.source,
      window: query.window,
      candles: items.map(bodyOf),
      nextCursor: cursorAt(nextUs),
    };
  }

  private async plainPage(key: SeriesKey, { window, limit }: OhlcvQuery, page: Page) {
    return cutWindows(await this.candles.range(key, window, { ...page, limit: limit + 1 }), page);
  }

  /** A filled page is a stretch of `limit` windows: it starts (or ends) at a candle, so empty stretches are skipped. */
  private async filledPage(key: SeriesKey, { window, limit }: OhlcvQuery, page: Page) {
    const intervalUs = INTERVALS[window] * 1000;
    const forward = page.direction === 'forward';
    const [edge] = await this.candles.range(key, window, { ...page, limit: 1 });
    if (!edge) return { items: [], nextUs: undefined };
    const [earlier] = await this.candles.range(key, window, {
      fromUs: 0,
      toUs: page.fromUs,
      direction: 'backward',
      limit: 1,
    });
    const alignedFromUs = windowStart(page.fromUs + intervalUs - 1, intervalUs);
    const startUs = forward
      ? earlier
        ? alignedFromUs
        : edge.openTimeUs
      : Math.max(alignedFromUs, edge.openTimeUs - (limit - 1) * intervalUs);
    const endUs = forward ? Math.min(page.toUs, startUs + limit * intervalUs) : edge.openTimeUs + 1;
    const candles = await this.candles.range(key, window, {
      fromUs: startUs,
      toUs: endUs,
      direction: 'forward',
      limit,
    });
    const [before] = await this.candles.range(key, window, {
      fromUs: 0,
      toUs: startUs,
      direction: 'backward',
      limit: 1,
    });
    const [after] = forward
      ? await this.candles.range(key, window, { fromUs: endUs, toUs: page.toUs, direction: 'forward', limit: 1 })
      : [];
    const gaps = await this.gaps.openGaps(key);
    const upTo = after ? [...candles, after] : candles;
    const items = fillQuietWindows(upTo, before, startUs, intervalUs, gaps, endUs)
      .filter((candle) => candle.openTimeUs < endUs)
      .slice(0, limit);
    const more = forward ? after !== undefined : before !== undefined && startUs > page.fromUs;
    return { items, nextUs: more ? (forward ? endUs : startUs) : undefined };
  }
}

type Page = PageRange & Readonly<{ limit: number }>;

const bodyOf = (candle: FilledCandle): CandleBody => ({
  ...candleBody(candle),
  ...(candle.filled ? { filled: true as const } : {}),
});

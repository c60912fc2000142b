import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { exact, quotientText, VWAP_DECIMALS } from '../../contracts/index.js';
import { durationText } from '../../platform/config/index.js';
import { unknownSymbol } from '../../platform/errors/index.js';
import { API, ApiProblems, cut, decodeCursor, encodeCursor, SourceQuery } from '../../platform/http/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { WindowStore } from './window.store.js';
import {
  dayBody,
  DayChangeBody,
  DayChangesBody,
  DayChangesQuery,
  instants,
  VwapBody,
  VwapQuery,
} from './windows.dto.js';
import { Windows } from './windows.service.js';

@ApiTags('market')
@Controller(API)
export class WindowsController {
  constructor(
    private readonly series: SeriesFinder,
    private readonly store: WindowStore,
    private readonly windows: Windows,
  ) {}

  @Get('24h-change/:symbol')
  @ApiOperation({ summary: 'Price and volume of the rolling 24 hours against the 24 before, by the minute' })
  @ApiOkResponse({ type: DayChangeBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async dayChange(@Param('symbol') symbol: string, @Query() { source }: SourceQuery): Promise<DayChangeBody> {
    const [day] = await this.windows.dayChanges([await this.series.find(symbol, source)]);
    if (!day) throw unknownSymbol(symbol, source);
    return dayBody(day);
  }

  @Get('24h-change')
  @ApiOperation({ summary: 'The rolling 24 hours of several symbols, or of every series' })
  @ApiOkResponse({ type: DayChangesBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async dayChanges(@Query() query: DayChangesQuery): Promise<DayChangesBody> {
    const { keys, nextCursor } = await this.page(query);
    return { items: (await this.windows.dayChanges(keys)).map(dayBody), nextCursor };
  }

  @Get('vwap/:symbol')
  @ApiOperation({ summary: 'Volume-weighted average price of the session or of a rolling span, exact' })
  @ApiOkResponse({ type: VwapBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async vwap(@Param('symbol') symbol: string, @Query() { window, source }: VwapQuery): Promise<VwapBody> {
    const key = await this.series.find(symbol, source);
    const found = window === 'session' ? await this.windows.session(key) : await this.windows.last(key, window);
    if (!found) throw unknownSymbol(symbol, source);
    const { volume, quoteVolume, trades, incomplete } = found;
    return {
      ...key,
      window: window === 'session' ? window : durationText(window),
      vwap: volume === '0' ? null : quotientText(exact(quoteVolume), exact(volume), VWAP_DECIMALS),
      volume,
      quoteVolume,
      trades,
      incomplete,
      ...instants(found),
    };
  }

  private async page({ symbols, source, limit, cursor }: DayChangesQuery) {
    if (symbols) return { keys: await this.series.findAll(symbols, source), nextCursor: null };
    const found = await this.store.seriesAfter(cursor === undefined ? undefined : seriesOf(cursor), limit + 1, source);
    const { items: keys, edge } = cut(found, { direction: 'forward', limit });
    return { keys, nextCursor: edge ? encodeCursor([edge.source, edge.symbol]) : null };
  }
}

function seriesOf(cursor: string): SeriesKey {
  const [source, symbol] = decodeCursor(cursor, 2);
  return { source: String(source), symbol: String(symbol) };
}

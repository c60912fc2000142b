import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { durationText } from '../../platform/config/index.js';
import { unknownSymbol } from '../../platform/errors/index.js';
import { API, ApiProblems } from '../../platform/http/index.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { Windows } from '../windows/windows.service.js';
import { RELATIVE_ERROR } from './rollup.js';
import {
  AggregatedQuery,
  figuresBody,
  figuresOrNull,
  MarketAggregatedBody,
  type MarketErrorBody,
  MarketRollupsBody,
  RollupsQuery,
} from './rollups.dto.js';
import { Rollups } from './rollups.service.js';

@ApiTags('metrics')
@Controller(`${API}/metrics/:symbol`)
export class RollupsController {
  constructor(
    private readonly series: SeriesFinder,
    private readonly rollups: Rollups,
    private readonly windows: Windows,
  ) {}

  @Get('rollups')
  @ApiOperation({
    summary:
      'Statistics of price and trade size by window; with `from` pages go forward, without it backward from `to`',
  })
  @ApiOkResponse({ type: MarketRollupsBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async page(@Param('symbol') symbol: string, @Query() query: RollupsQuery): Promise<MarketRollupsBody> {
    const key = await this.series.find(symbol, query.source);
    const page = await this.rollups.page(key, 'price', query);
    const volumes = await this.rollups.alongside(key, 'volume', query, page);
    return {
      ...key,
      window: query.window,
      relativeError: RELATIVE_ERRORS,
      items: page.items.map(({ openTimeUs, closeTimeUs, incomplete, summary }) => ({
        openTime: formatInstant(openTimeUs),
        closeTime: formatInstant(closeTimeUs),
        incomplete,
        price: figuresBody(summary),
        volume: figuresOrNull(volumes.get(openTimeUs)),
      })),
      nextCursor: page.nextCursor,
    };
  }

  @Get('aggregated')
  @ApiOperation({ summary: 'Statistics of price and trade size over one rolling window' })
  @ApiOkResponse({ type: MarketAggregatedBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async aggregated(@Param('symbol') symbol: string, @Query() query: AggregatedQuery): Promise<MarketAggregatedBody> {
    const key = await this.series.find(symbol, query.source);
    const found = await this.windows.last(key, query.window);
    if (!found) throw unknownSymbol(symbol, query.source);
    const { fromUs, toUs, incomplete } = found;
    const [price, volume] = await Promise.all([
      this.rollups.over(key, 'price', fromUs, toUs),
      this.rollups.over(key, 'volume', fromUs, toUs),
    ]);
    return {
      ...key,
      window: durationText(query.window),
      from: formatInstant(fromUs),
      to: formatInstant(toUs),
      incomplete,
      relativeError: RELATIVE_ERRORS,
      price: figuresOrNull(price),
      volume: figuresOrNull(volume),
    };
  }
}

const RELATIVE_ERRORS: MarketErrorBody = { price: RELATIVE_ERROR.price, volume: RELATIVE_ERROR.volume };

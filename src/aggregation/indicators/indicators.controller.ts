import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { badParameter, unknownSymbol } from '../../platform/errors/index.js';
import { API, ApiProblems, cursorAt, rangeOf } from '../../platform/http/index.js';
import {
  indicator,
  INDICATOR_DEFAULTS,
  IndicatorNameError,
  type IndicatorSpec,
} from '../../platform/indicators/index.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { IndicatorsBody, IndicatorsQuery, MovingAverageBody, MovingAverageQuery, pointBody } from './indicators.dto.js';
import { Indicators } from './indicators.service.js';

@ApiTags('market')
@Controller(API)
export class IndicatorsController {
  constructor(
    private readonly series: SeriesFinder,
    private readonly indicators: Indicators,
  ) {}

  @Get('indicators/:symbol')
  @ApiOperation({
    summary:
      'Technical indicators at each candle, the open one included, oldest first; with `from` pages go forward, without it backward from `to`',
  })
  @ApiOkResponse({ type: IndicatorsBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async list(@Param('symbol') symbol: string, @Query() query: IndicatorsQuery): Promise<IndicatorsBody> {
    const key = await this.series.find(symbol, query.source);
    const { interval, limit, names } = query;
    const specs = (names ?? INDICATOR_DEFAULTS).map(named);
    const { points, nextUs } = await this.indicators.page(key, interval, specs, { ...rangeOf(query), limit });
    if (names && points.at(-1)?.values.includes(null))
      await this.indicators.refuseBeyondHistory('names', key, interval, specs);
    return {
      symbol: key.symbol,
      source: key.source,
      interval,
      items: points.map((point) => pointBody(specs, point)),
      nextCursor: cursorAt(nextUs),
    };
  }

  @Get('moving-average/:symbol')
  @ApiOperation({ summary: 'One moving average at the last candle, live while that is open' })
  @ApiOkResponse({ type: MovingAverageBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async movingAverage(@Param('symbol') symbol: string, @Query() query: MovingAverageQuery): Promise<MovingAverageBody> {
    const { period, type, length, source } = query;
    const key = await this.series.find(symbol, source);
    const specs = [indicator(`${type}:${length}`)];
    const point = await this.indicators.latest(key, period, specs);
    if (!point) throw unknownSymbol(symbol, source);
    const value = point.values[0];
    if (typeof value !== 'number') await this.indicators.refuseBeyondHistory('length', key, period, specs);
    const { openTimeUs, closed, incomplete } = point;
    return {
      ...key,
      period,
      type,
      length,
      value: value as number,
      openTime: formatInstant(openTimeUs),
      closed,
      incomplete,
    };
  }
}

function named(text: string): IndicatorSpec {
  try {
    return indicator(text);
  } catch (error) {
    if (error instanceof IndicatorNameError)
      throw badParameter('names', `holds ${JSON.stringify(text.slice(0, 40))}, which must be ${error.expected}`);
    throw error;
  }
}

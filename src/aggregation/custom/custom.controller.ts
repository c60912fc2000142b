import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CUSTOM_SOURCE, formatInstant } from '../../contracts/index.js';
import { durationText } from '../../platform/config/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, cut, decodeCursor, encodeCursor, NoQuery, rangeOf } from '../../platform/http/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { endOfMinute } from '../cover.js';
import { RELATIVE_ERROR } from '../rollups/rollup.js';
import { figuresBody, figuresOrNull } from '../rollups/rollups.dto.js';
import { Rollups } from '../rollups/rollups.service.js';
import { isPointKey, isSeriesName } from './custom-point.js';
import { CustomPointStore } from './custom-point.store.js';
import { CustomPoints } from './custom-points.service.js';
import {
  CustomAggregatedBody,
  CustomAggregatedQuery,
  CustomPointsBody,
  CustomPointsQuery,
  CustomRollupsBody,
  CustomRollupsQuery,
  CustomSeriesListBody,
  CustomSeriesQuery,
  PointsRecordedBody,
  SentPointsBody,
} from './custom.dto.js';

@ApiTags('metrics')
@Controller(`${API}/metrics/custom`)
export class CustomController {
  constructor(
    private readonly points: CustomPoints,
    private readonly store: CustomPointStore,
    private readonly rollups: Rollups,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Record points of your own series: all of them or none, each key once' })
  @ApiOkResponse({ type: PointsRecordedBody })
  @ApiProblems('request.bad-parameter', 'metrics.key-taken', 'metrics.too-many-series', 'database.unavailable')
  record(@Body() { points }: SentPointsBody, @Query() _query: NoQuery): Promise<PointsRecordedBody> {
    return this.points.record(points);
  }

  @Get()
  @ApiOperation({ summary: 'Every custom series, by name' })
  @ApiOkResponse({ type: CustomSeriesListBody })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async series(@Query() { limit, cursor }: CustomSeriesQuery): Promise<CustomSeriesListBody> {
    const found = await this.store.series(cursor === undefined ? '' : nameOf(cursor), limit + 1);
    const { items, edge } = cut(found, { direction: 'forward', limit });
    return {
      items: items.map(({ name, points, firstUs, lastUs }) => ({
        name,
        points,
        firstAt: formatInstant(firstUs),
        lastAt: formatInstant(lastUs),
      })),
      nextCursor: edge ? encodeCursor([edge.name]) : null,
    };
  }

  @Get(':name')
  @ApiOperation({ summary: 'Points, oldest first; with `from` pages go forward, without it backward from `to`' })
  @ApiOkResponse({ type: CustomPointsBody })
  @ApiProblems('request.bad-parameter', 'metrics.unknown-series', 'database.unavailable')
  async list(@Param('name') name: string, @Query() query: CustomPointsQuery): Promise<CustomPointsBody> {
    await this.points.find(name);
    const { limit, cursor, ...span } = query;
    const page = { ...rangeOf(span), limit };
    const position = cursor === undefined ? undefined : positionOf(cursor);
    const { items, edge } = cut(await this.store.range(name, { ...page, position, limit: limit + 1 }), page);
    return {
      name,
      items: items.map(({ key, value, atUs }) => ({ key, value, at: formatInstant(atUs) })),
      nextCursor: edge ? encodeCursor([edge.atUs, edge.key]) : null,
    };
  }

  @Delete(':name')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a series with its points, rollups and anomalies' })
  @ApiNoContentResponse()
  @ApiProblems('metrics.unknown-series', 'database.unavailable')
  async remove(@Param('name') name: string, @Query() _query: NoQuery): Promise<void> {
    await this.points.find(name);
    await this.points.remove(name);
  }

  @Get(':name/rollups')
  @ApiOperation({ summary: 'Statistics of a custom series by window' })
  @ApiOkResponse({ type: CustomRollupsBody })
  @ApiProblems('request.bad-parameter', 'metrics.unknown-series', 'database.unavailable')
  async page(@Param('name') name: string, @Query() query: CustomRollupsQuery): Promise<CustomRollupsBody> {
    await this.points.find(name);
    const { items, nextCursor } = await this.rollups.page(keyOf(name), 'value', query);
    return {
      name,
      window: query.window,
      relativeError: RELATIVE_ERROR.value,
      items: items.map(({ openTimeUs, closeTimeUs, summary }) => ({
        openTime: formatInstant(openTimeUs),
        closeTime: formatInstant(closeTimeUs),
        value: figuresBody(summary),
      })),
      nextCursor,
    };
  }

  @Get(':name/aggregated')
  @ApiOperation({ summary: 'Statistics of a custom series over one rolling window' })
  @ApiOkResponse({ type: CustomAggregatedBody })
  @ApiProblems('request.bad-parameter', 'metrics.unknown-series', 'database.unavailable')
  async aggregated(
    @Param('name') name: string,
    @Query() { window }: CustomAggregatedQuery,
  ): Promise<CustomAggregatedBody> {
    const toUs = endOfMinute((await this.points.find(name)).lastUs);
    const fromUs = toUs - window * 1000;
    return {
      name,
      window: durationText(window),
      from: formatInstant(fromUs),
      to: formatInstant(toUs),
      relativeError: RELATIVE_ERROR.value,
      value: figuresOrNull(await this.rollups.over(keyOf(name), 'value', fromUs, toUs)),
    };
  }
}

const keyOf = (name: string): SeriesKey => ({ source: CUSTOM_SOURCE, symbol: name });

function nameOf(cursor: string): string {
  const [name] = decodeCursor(cursor, 1);
  if (!isSeriesName(name)) throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return name;
}

function positionOf(cursor: string): { atUs: number; key: string } {
  const [atUs, key] = decodeCursor(cursor, 2);
  if (typeof atUs !== 'number' || atUs < 0 || !isPointKey(key))
    throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return { atUs, key };
}

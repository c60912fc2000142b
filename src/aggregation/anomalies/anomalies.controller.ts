import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { anomalyBody, CUSTOM_SOURCE } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, cut, decodeCursor, encodeCursor, rangeOf } from '../../platform/http/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { CustomPoints } from '../custom/custom-points.service.js';
import { AnomaliesBody, AnomaliesQuery, CustomAnomaliesQuery, SignalStateBody } from './anomalies.dto.js';
import { AnomalyStore } from './anomaly.store.js';

@ApiTags('metrics')
@ApiExtraModels(SignalStateBody)
@Controller(API)
export class AnomaliesController {
  constructor(
    private readonly anomalies: AnomalyStore,
    private readonly points: CustomPoints,
    private readonly series: SeriesFinder,
  ) {}

  @Get('metrics/:symbol/anomalies')
  @ApiOperation({ summary: 'Anomalies, oldest first; with `from` pages go forward, without it backward from `to`' })
  @ApiOkResponse({ type: AnomaliesBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async list(@Param('symbol') symbol: string, @Query() query: AnomaliesQuery): Promise<AnomaliesBody> {
    return this.page(await this.series.find(symbol, query.source), query);
  }

  @Get('metrics/custom/:name/anomalies')
  @ApiOperation({ summary: 'Anomalies of a custom series; as those of a symbol' })
  @ApiOkResponse({ type: AnomaliesBody })
  @ApiProblems('request.bad-parameter', 'metrics.unknown-series', 'database.unavailable')
  async listCustom(@Param('name') name: string, @Query() query: CustomAnomaliesQuery): Promise<AnomaliesBody> {
    await this.points.find(name);
    return this.page({ source: CUSTOM_SOURCE, symbol: name }, query);
  }

  private async page(key: SeriesKey, query: PageQuery): Promise<AnomaliesBody> {
    const { kind, detector, severity, limit, cursor, ...span } = query;
    const page = { ...rangeOf(span), limit };
    const position = cursor === undefined ? undefined : positionOf(cursor);
    const found = await this.anomalies.range(
      key,
      { kinds: kind, detectors: detector, severities: severity },
      { ...page, position, limit: limit + 1 },
    );
    const { items, edge } = cut(found, page);
    return {
      ...key,
      items: items.map(anomalyBody),
      nextCursor: edge ? encodeCursor([edge.atUs, edge.anomalyId]) : null,
    };
  }
}

type PageQuery = Omit<AnomaliesQuery, 'source'>;

function positionOf(cursor: string): { atUs: number; id: string } {
  const [atUs, id] = decodeCursor(cursor, 2);
  if (typeof atUs !== 'number' || atUs < 0 || !/^\d{1,18}$/.test(String(id)))
    throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return { atUs, id: String(id) };
}

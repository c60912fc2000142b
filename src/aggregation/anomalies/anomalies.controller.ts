import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { anomalyBody, CUSTOM_SOURCE } from '../../contracts/index.js';
import { AppError, badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems, decodeCursor, encodeCursor, YEAR_9999_US } from '../../platform/http/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { isSeriesName } from '../custom/custom-point.js';
import { CustomPointStore } from '../custom/custom-point.store.js';
import { AnomaliesBody, AnomaliesQuery, CustomAnomaliesQuery, SignalStateBody } from './anomalies.dto.js';
import { AnomalyStore } from './anomaly.store.js';

@ApiTags('metrics')
@ApiExtraModels(SignalStateBody)
@Controller(API)
export class AnomaliesController {
  constructor(
    private readonly anomalies: AnomalyStore,
    private readonly points: CustomPointStore,
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
    if (!isSeriesName(name) || !(await this.points.find(name)))
      throw new AppError('metrics.unknown-series', `${name.slice(0, 80)} has no points`);
    return this.page({ source: CUSTOM_SOURCE, symbol: name }, query);
  }

  private async page(key: SeriesKey, query: PageQuery): Promise<AnomaliesBody> {
    const fromUs = Math.max(0, query.from ?? 0);
    const toUs = query.to ?? YEAR_9999_US;
    if (fromUs >= toUs) throw badParameter('from', 'must be before to');
    const direction = query.from === undefined ? 'backward' : 'forward';
    const position = query.cursor === undefined ? undefined : positionOf(query.cursor);
    const found = await this.anomalies.range(
      key,
      { kinds: query.kind, detectors: query.detector, severities: query.severity },
      { fromUs, toUs, direction, position, limit: query.limit + 1 },
    );
    const more = found.length > query.limit;
    const page = !more ? found : direction === 'forward' ? found.slice(0, -1) : found.slice(1);
    const edge = direction === 'forward' ? page.at(-1) : page[0];
    return {
      symbol: key.symbol,
      source: key.source,
      items: page.map(anomalyBody),
      nextCursor: more && edge ? encodeCursor([edge.atUs, edge.anomalyId]) : null,
    };
  }
}

type PageQuery = Omit<AnomaliesQuery, 'source'>;

function positionOf(cursor: string): { atUs: number; id: string } {
  const [atUs, id] = decodeCursor(cursor, 2);
  if (typeof atUs !== 'number' || atUs < 0 || atUs > YEAR_9999_US || !/^\d{1,18}$/.test(String(id)))
    throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return { atUs, id: String(id) };
}

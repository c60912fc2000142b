import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../../contracts/index.js';
import { unknownSymbol } from '../../platform/errors/index.js';
import { API, ApiProblems, SourceQuery } from '../../platform/http/index.js';
import { indicator, INDICATOR_DEFAULTS } from '../../platform/indicators/index.js';
import { Anomalies } from '../anomalies/anomalies.service.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { pointBody } from '../indicators/indicators.dto.js';
import { Indicators } from '../indicators/indicators.service.js';
import { changePercent, difference } from '../windows/day-change.js';
import type { Totals, Window } from '../windows/window.store.js';
import { dayBody } from '../windows/windows.dto.js';
import { Windows } from '../windows/windows.service.js';
import { type LastMinuteBody, MetricsBody } from './metrics.dto.js';

const SPECS = INDICATOR_DEFAULTS.map(indicator);
const MINUTE_MS = 60_000;

@ApiTags('metrics')
@Controller(`${API}/metrics`)
export class MetricsController {
  constructor(
    private readonly series: SeriesFinder,
    private readonly windows: Windows,
    private readonly indicators: Indicators,
    private readonly anomalies: Anomalies,
  ) {}

  @Get(':symbol')
  @ApiOperation({ summary: 'Price, 24 hours, last minute, indicators and anomalies of a symbol in one answer' })
  @ApiOkResponse({ type: MetricsBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async metrics(@Param('symbol') symbol: string, @Query() { source }: SourceQuery): Promise<MetricsBody> {
    const key = await this.series.find(symbol, source);
    const [[day], lastMinute, point, anomalies] = await Promise.all([
      this.windows.dayChanges([key]),
      this.windows.last(key, MINUTE_MS),
      this.indicators.latest(key, '1m', SPECS),
      this.anomalies.stateOf(key),
    ]);
    if (!day || !lastMinute || !point) throw unknownSymbol(symbol, source);
    return {
      symbol: key.symbol,
      source: key.source,
      price: day.price,
      day: dayBody(day),
      lastMinute: minuteBody(lastMinute),
      indicators: pointBody(SPECS, point),
      anomalies,
    };
  }
}

function minuteBody({ fromUs, high, low, volume, trades, incomplete }: Window & Totals): LastMinuteBody {
  return {
    openTime: formatInstant(fromUs),
    high,
    low,
    spread: difference(high, low),
    spreadPercent: changePercent(high, low),
    volume,
    trades,
    incomplete,
  };
}

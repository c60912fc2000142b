import { Controller, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant, INTERVALS } from '../../contracts/index.js';
import { badParameter } from '../../platform/errors/index.js';
import { API, ApiProblems } from '../../platform/http/index.js';
import type { SeriesKey } from '../candles/candle.store.js';
import { SeriesFinder } from '../candles/series-finder.service.js';
import { type Correlation, correlate, logReturns, rollingCorrelations } from './correlation.js';
import { CorrelationBody, CorrelationQuery, type RollingPairBody } from './correlation.dto.js';
import { Correlations } from './correlations.service.js';

/** Pairs of 5 symbols: with 1,000 windows each, 10,000 points. */
const MOST_ROLLING_PAIRS = 10;

@ApiTags('market')
@Controller(API)
export class CorrelationController {
  constructor(
    private readonly series: SeriesFinder,
    private readonly correlations: Correlations,
  ) {}

  @Get('correlation')
  @ApiOperation({ summary: 'Pearson correlation of the log returns of closed candles, as a matrix and rolling' })
  @ApiOkResponse({ type: CorrelationBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async correlation(@Query() query: CorrelationQuery): Promise<CorrelationBody> {
    const { symbols: names, interval, length, missing, rolling } = query;
    const pairs = pairsOf(names.length);
    if (rolling !== undefined) checkRolling(rolling, length, pairs.length);
    const keys = await this.keysOf(names, query.source);
    const { fromUs, toUs, series } = await this.correlations.commonCloses(keys, query);
    const returns = series.map(({ closes }) => logReturns(closes));
    const found = pairs.map(([a, b]) => ({ a, b, ...correlate(returns[a]!, returns[b]!) }));
    return {
      interval,
      length,
      missing,
      from: formatInstant(fromUs),
      to: formatInstant(toUs),
      symbols: keys.map(({ symbol, source }, i) => {
        const { candles, missing: quiet, incomplete } = series[i]!;
        return { symbol, source, candles, missing: quiet, incomplete };
      }),
      matrix: matrixOf(names.length, found),
      pairs: found.map(({ a, b, ...rest }) => ({
        a: names[a]!,
        b: names[b]!,
        ...rest,
        skipped: length - rest.samples,
      })),
      ...(rolling !== undefined && {
        rolling: pairs.map(([a, b]): RollingPairBody => {
          const points = rollingCorrelations(returns[a]!, returns[b]!, rolling);
          const firstUs = fromUs + rolling * INTERVALS[interval] * 1000;
          const items = points.map(({ correlation }, i) => ({
            time: formatInstant(firstUs + i * INTERVALS[interval] * 1000),
            correlation,
          }));
          return { a: names[a]!, b: names[b]!, items };
        }),
      }),
    };
  }

  private async keysOf(names: readonly string[], source: string | undefined): Promise<SeriesKey[]> {
    const keys = await Promise.all(
      names.map((name) => {
        const colon = name.indexOf(':');
        return colon < 0
          ? this.series.find(name, source)
          : this.series.find(name.slice(colon + 1), name.slice(0, colon));
      }),
    );
    const seen = new Set<string>();
    keys.forEach((key, i) => {
      const full = `${key.source}:${key.symbol}`;
      if (seen.has(full)) throw badParameter('symbols', `must not name a series twice: ${names[i]} is ${full} again`);
      seen.add(full);
    });
    return keys;
  }
}

function checkRolling(rolling: number, length: number, pairs: number): void {
  if (rolling > length) throw badParameter('rolling', `must be a whole number from 2 to length, which is ${length}`);
  if (pairs > MOST_ROLLING_PAIRS)
    throw badParameter('rolling', `must be left out for more than ${MOST_ROLLING_PAIRS} pairs, which 5 symbols have`);
}

/** Each pair once, the earlier first. */
const pairsOf = (count: number): [a: number, b: number][] =>
  Array.from({ length: count }, (_, a) =>
    Array.from({ length: count - a - 1 }, (__, i): [number, number] => [a, a + 1 + i]),
  ).flat();

function matrixOf(count: number, pairs: readonly (Correlation & { a: number; b: number })[]): (number | null)[][] {
  const matrix = Array.from({ length: count }, () => Array.from<number | null>({ length: count }).fill(1));
  for (const { a, b, correlation } of pairs) matrix[a]![b] = matrix[b]![a] = correlation;
  return matrix;
}

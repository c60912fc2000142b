import { ApiProperty } from '@nestjs/swagger';
import { INTERVAL_NAMES, type IntervalName, INTERVALS } from '../../contracts/index.js';
import { LimitParameter, RangeQuery, SourceQuery } from '../../platform/http/index.js';
import { IntervalParameter } from '../interval.decorator.js';
import { SpanParameter } from '../span.decorator.js';
import { RELATIVE_ERROR } from './rollup.js';
import type { Summary } from './summary.js';

export class RollupsQuery extends RangeQuery {
  @IntervalParameter('1h')
  window: IntervalName = '1h';

  @LimitParameter({ most: 1000, byDefault: 500 })
  limit: number = 500;
}

export class AggregatedQuery extends SourceQuery {
  /** Milliseconds. */
  @SpanParameter('How far back from the end of the minute of the last trade or point.', '24h')
  window: number = INTERVALS['1d'];
}

/** What a set of numbers amounts to. Quantiles are told within the relative error, everything else to twelve digits. */
export class FiguresBody {
  @ApiProperty({ type: 'integer', example: 153 }) count!: number;
  @ApiProperty({ example: 9957801.4 }) sum!: number;
  @ApiProperty({ example: 65071.53 }) min!: number;
  @ApiProperty({ example: 65102 }) max!: number;
  /** max - min. */
  @ApiProperty({ example: 30.47 }) range!: number;
  @ApiProperty({ example: 65083.67 }) mean!: number;
  /** Of an even count the lower of the two in the middle. */
  @ApiProperty({ example: 65083.1 }) median!: number;
  /** Of the population: divided by count. */
  @ApiProperty({ example: 4.27 }) standardDeviation!: number;
  /** standardDeviation / |mean|; null when the mean is 0. */
  @ApiProperty({ type: Number, nullable: true, example: 0.0000656 }) coefficientOfVariation!: number | null;
  @ApiProperty({ example: 65095.6 }) p95!: number;
  @ApiProperty({ example: 65101.2 }) p99!: number;
}

export class MarketErrorBody {
  @ApiProperty({ example: RELATIVE_ERROR.price }) price!: number;
  @ApiProperty({ example: RELATIVE_ERROR.volume }) volume!: number;
}

export class MarketRollupBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:00:00Z' }) openTime!: string;
  /** Exclusive. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T22:00:00Z' }) closeTime!: string;
  /** A hole in the trades touches it. */
  @ApiProperty() incomplete!: boolean;
  @ApiProperty({ type: FiguresBody }) price!: FiguresBody;
  /** Of the sizes of its trades; null of a polled series. */
  @ApiProperty({ type: FiguresBody, nullable: true }) volume!: FiguresBody | null;
}

export class MarketRollupsBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ enum: INTERVAL_NAMES, example: '1h' }) window!: IntervalName;
  /** How far median, p95 and p99 may be off, as a part of them. */
  @ApiProperty({ type: MarketErrorBody }) relativeError!: MarketErrorBody;
  /** Oldest first. */
  @ApiProperty({ type: [MarketRollupBody] }) items!: MarketRollupBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class MarketAggregatedBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: '1d' }) window!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-08T21:06:00Z' }) from!: string;
  /** End of the minute of the last trade: event time, not the clock of the server. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:06:00Z' }) to!: string;
  /** A hole in the trades touches it, or it begins before the series does. */
  @ApiProperty() incomplete!: boolean;
  @ApiProperty({ type: MarketErrorBody }) relativeError!: MarketErrorBody;
  /** Null until the first trades are rolled up, a second after they are recorded. */
  @ApiProperty({ type: FiguresBody, nullable: true }) price!: FiguresBody | null;
  @ApiProperty({ type: FiguresBody, nullable: true }) volume!: FiguresBody | null;
}

/** Twelve digits: what lies beyond them is the rounding of doubles, and 33.91 reads better than 33.91000000000349. */
const told = (figure: number): number => Number(figure.toPrecision(12));

export const figuresBody = (summary: Summary): FiguresBody => ({
  count: summary.count,
  sum: told(summary.sum),
  min: summary.min,
  max: summary.max,
  range: told(summary.max - summary.min),
  mean: told(summary.mean),
  median: told(summary.quantile(0.5)),
  standardDeviation: told(summary.standardDeviation),
  coefficientOfVariation: summary.mean === 0 ? null : told(summary.standardDeviation / Math.abs(summary.mean)),
  p95: told(summary.quantile(0.95)),
  p99: told(summary.quantile(0.99)),
});

export const figuresOrNull = (summary: Summary | undefined): FiguresBody | null =>
  summary ? figuresBody(summary) : null;

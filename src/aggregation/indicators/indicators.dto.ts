import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { ArrayMaxSize, ArrayUnique, IsIn, IsInt, IsOptional, Max, Min } from 'class-validator';
import { formatInstant, INTERVAL_NAMES, type IntervalName } from '../../contracts/index.js';
import type { IndicatorSpec } from '../../platform/indicators/index.js';
import { LimitParameter, RangeQuery, SourceQuery } from '../../platform/http/index.js';
import { IntervalParameter } from '../interval.decorator.js';
import type { IndicatorPoint } from './indicators.service.js';

const TYPES = ['sma', 'ema', 'wma'] as const;

export class IndicatorsQuery extends RangeQuery {
  @IntervalParameter('1m')
  interval: IntervalName = '1m';

  @ApiPropertyOptional({
    type: String,
    description: 'Comma list of up to 20 names with their parameters; left out, every indicator at its defaults.',
    example: 'sma:20,rsi:14,macd:12:26:9',
  })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? value.split(',') : value))
  @ArrayMaxSize(20, { message: 'must be at most 20 indicators' })
  @ArrayUnique({ message: 'must not name an indicator twice' })
  names?: string[];

  @LimitParameter({ most: 1000, byDefault: 500 })
  limit: number = 500;
}

export class IndicatorPointBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) openTime!: string;
  /** False on the candle that is still open: its values move with every trade. */
  @ApiProperty() closed!: boolean;
  /** A hole in the trades touches a candle that these values look at. */
  @ApiProperty() incomplete!: boolean;
  /** By name: a number, several by name (`macd`, `signal`, `histogram`), or null while the indicator warms up. */
  @ApiProperty({
    type: 'object',
    additionalProperties: {
      nullable: true,
      oneOf: [{ type: 'number' }, { type: 'object', additionalProperties: { type: 'number' } }],
    },
    example: { 'sma:20': 65011.2, 'macd:12:26:9': { macd: 12.1, signal: 10.4, histogram: 1.7 }, 'rsi:14': null },
  })
  values!: Record<string, unknown>;
}

export class IndicatorsBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ enum: INTERVAL_NAMES, example: '5m' }) interval!: IntervalName;
  /** Oldest first. */
  @ApiProperty({ type: [IndicatorPointBody] }) items!: IndicatorPointBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class MovingAverageQuery extends SourceQuery {
  @IntervalParameter('1m')
  period: IntervalName = '1m';

  @ApiPropertyOptional({ enum: TYPES, default: 'sma' })
  @IsIn(TYPES, { message: `must be one of ${TYPES.join(', ')}` })
  type: (typeof TYPES)[number] = 'sma';

  @ApiPropertyOptional({ type: 'integer', minimum: 2, maximum: 500, default: 20 })
  @Type(() => Number)
  @IsInt()
  @Min(2)
  @Max(500)
  length: number = 20;
}

export class MovingAverageBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ enum: INTERVAL_NAMES, example: '5m' }) period!: IntervalName;
  @ApiProperty({ enum: TYPES, example: 'ema' }) type!: string;
  @ApiProperty({ type: 'integer', example: 20 }) length!: number;
  @ApiProperty({ example: 65011.2 }) value!: number;
  /** Of the last candle, which is the open one unless `closed` says otherwise. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) openTime!: string;
  @ApiProperty() closed!: boolean;
  /** A hole in the trades touches one of its candles. */
  @ApiProperty() incomplete!: boolean;
}

export function pointBody(specs: readonly IndicatorSpec[], point: IndicatorPoint): IndicatorPointBody {
  return {
    openTime: formatInstant(point.openTimeUs),
    closed: point.closed,
    incomplete: point.incomplete,
    values: Object.fromEntries(specs.map((spec, i) => [spec.name, point.values[i]])),
  };
}

import { ApiProperty, ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsOptional } from 'class-validator';
import {
  ANOMALY_KINDS,
  type AnomalyKind,
  type DetectorName,
  DETECTORS,
  SEVERITIES,
  type Severity,
} from '../../contracts/index.js';
import { LimitParameter, RangeQuery } from '../../platform/http/index.js';

/** `a,b` or repeated parameters: any of them will do. */
const AnyOf = (values: readonly string[]): PropertyDecorator => {
  const rules = [
    ApiPropertyOptional({ type: String, description: `Comma list out of ${values.join(', ')}; left out, all.` }),
    Transform(({ value }: { value: unknown }) =>
      value === undefined ? undefined : [value].flat().flatMap((part) => String(part).split(',')),
    ),
    IsOptional(),
    IsIn(values, { each: true, message: `must be a comma list out of ${values.join(', ')}` }),
  ];
  return (target, key) => rules.forEach((rule) => rule(target, key));
};

export class AnomaliesQuery extends RangeQuery {
  @AnyOf(ANOMALY_KINDS) kind?: AnomalyKind[];
  @AnyOf(DETECTORS) detector?: DetectorName[];
  @AnyOf(SEVERITIES) severity?: Severity[];

  @LimitParameter({ most: 1000, byDefault: 100 })
  limit: number = 100;
}

export class CustomAnomaliesQuery extends OmitType(AnomaliesQuery, ['source']) {}

export class AnomalyBody {
  @ApiProperty({ example: '17' }) id!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ enum: ANOMALY_KINDS, example: 'price-drop' }) kind!: AnomalyKind;
  @ApiProperty({ enum: DETECTORS, example: 'zscore' }) detector!: DetectorName;
  @ApiProperty({ enum: SEVERITIES, example: 'high' }) severity!: Severity;
  /** How far off in the detector's own measure; at or above the threshold. */
  @ApiProperty({ example: 11.2 }) score!: number;
  @ApiProperty({ example: 5.5 }) threshold!: number;
  /** A log return, a log volume, a volatility, the log return since a trend's extreme, or the value of a custom series. */
  @ApiProperty({ example: -0.0121 }) value!: number;
  @ApiProperty({ example: 0.00001 }) expected!: number;
  /** Bounds within which it would have been none. */
  @ApiProperty({ example: -0.0059 }) lower!: number;
  @ApiProperty({ example: 0.0059 }) upper!: number;
  /** End of the scored minute, or the instant of the custom point. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:06:00Z' }) at!: string;
}

export class AnomaliesBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  /** Oldest first. */
  @ApiProperty({ type: [AnomalyBody] }) items!: AnomalyBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

const ANOMALY_STATES = ['warming-up', 'normal', 'alarming', 'insufficient-variance', 'off'] as const;
export type AnomalyState = (typeof ANOMALY_STATES)[number];

export class SignalStateBody {
  @ApiProperty({ enum: DETECTORS, example: 'zscore' }) detector!: DetectorName;
  @ApiProperty({ enum: ANOMALY_STATES, example: 'normal' }) state!: AnomalyState;
  /** Of the last sample, as are those that follow; null where nothing was scored. */
  @ApiProperty({ type: Number, nullable: true, example: 0.7 }) score!: number | null;
  @ApiProperty({ type: Number, nullable: true, example: 5.5 }) threshold!: number | null;
  @ApiProperty({ type: Number, nullable: true, example: 0.00001 }) expected!: number | null;
  @ApiProperty({ type: Number, nullable: true, example: -0.0059 }) lower!: number | null;
  @ApiProperty({ type: Number, nullable: true, example: 0.0059 }) upper!: number | null;
  /** Samples it was compared with. */
  @ApiProperty({ type: 'integer', example: 1000 }) n!: number;
  /** Why it is not scored, or not told. */
  @ApiProperty({ type: String, nullable: true, example: null }) reason!: string | null;
}

/** What the detectors of a series make of it now. */
export class SeriesAnomaliesBody {
  /** `alarming` if one signal is, else `normal` if one is scored; `off` when nothing is watched. */
  @ApiProperty({ enum: ANOMALY_STATES, example: 'normal' }) state!: AnomalyState;
  /** Of the first signal (price, or the value of a custom series), and how many it takes until it is scored. */
  @ApiProperty({ type: 'integer', example: 1000 }) samples!: number;
  @ApiProperty({ type: 'integer', example: 30 }) needed!: number;
  /** By signal: price, volume, volatility, trend, or value. Of several detectors at one, the one that is furthest out. */
  @ApiProperty({ type: 'object', additionalProperties: { $ref: '#/components/schemas/SignalStateBody' } })
  signals!: Record<string, SignalStateBody>;
  @ApiProperty({ type: AnomalyBody, nullable: true }) last!: AnomalyBody | null;
}

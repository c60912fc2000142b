import { ApiProperty, ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray } from 'class-validator';
import { INTERVAL_NAMES, type IntervalName } from '../../contracts/index.js';
import { CursorParameter, LimitParameter, RangeQuery } from '../../platform/http/index.js';
import { RELATIVE_ERROR } from '../rollups/rollup.js';
import { AggregatedQuery, FiguresBody, RollupsQuery } from '../rollups/rollups.dto.js';

const MOST_POINTS = 1000;
const NAME = { pattern: '^[a-z][a-z0-9._-]{0,79}$', example: 'orders.open' } as const;
const INSTANT = { format: 'date-time', example: '2026-08-09T21:05:48.167634Z' } as const;
const VALUE = { type: String, format: 'decimal', example: '12.5' } as const;

export class SentPointBody {
  @ApiProperty(NAME) name!: string;
  /** Text is kept exactly; a JSON number as the double it is read as. */
  @ApiProperty({ oneOf: [{ type: 'number' }, { type: 'string', format: 'decimal' }], example: 12.5 })
  value!: number | string;
  /** RFC 3339 or epoch milliseconds, from 2000 to a day from now; left out, now. */
  @ApiPropertyOptional({
    oneOf: [{ type: 'string', format: 'date-time' }, { type: 'integer' }],
    example: INSTANT.example,
  })
  at?: string | number;
  /** Known by it: sent again, it is not recorded again. Left out, the instant; without one either, the point is new. */
  @ApiPropertyOptional({ pattern: '^[ -~]{1,120}$', example: 'batch-17/3' }) key?: string;
}

export class SentPointsBody {
  @ApiProperty({ type: [SentPointBody], minItems: 1, maxItems: MOST_POINTS })
  @IsArray({ message: `must be a list of 1 to ${MOST_POINTS} points` })
  @ArrayMinSize(1, { message: `must be a list of 1 to ${MOST_POINTS} points` })
  @ArrayMaxSize(MOST_POINTS, { message: `must be a list of 1 to ${MOST_POINTS} points` })
  points!: unknown[];
}

export class PointsRecordedBody {
  @ApiProperty({ type: 'integer', example: 1 }) accepted!: number;
  /** Known already, or sent twice. */
  @ApiProperty({ type: 'integer', example: 0 }) repeated!: number;
}

export class CustomSeriesQuery {
  @LimitParameter({ most: 1000, byDefault: 100 })
  limit: number = 100;

  @CursorParameter()
  cursor?: string;
}

export class CustomSeriesBody {
  @ApiProperty(NAME) name!: string;
  /** Ever recorded, those beyond TRADES_RETENTION too. */
  @ApiProperty({ type: 'integer', example: 1440 }) points!: number;
  @ApiProperty(INSTANT) firstAt!: string;
  @ApiProperty(INSTANT) lastAt!: string;
}

export class CustomSeriesListBody {
  @ApiProperty({ type: [CustomSeriesBody] }) items!: CustomSeriesBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class CustomPointsQuery extends OmitType(RangeQuery, ['source']) {
  @LimitParameter({ most: 1000, byDefault: 100 })
  limit: number = 100;
}

export class CustomPointBody {
  @ApiProperty({ example: 'batch-17/3' }) key!: string;
  @ApiProperty(VALUE) value!: string;
  @ApiProperty(INSTANT) at!: string;
}

export class CustomPointsBody {
  @ApiProperty(NAME) name!: string;
  /** Oldest first. */
  @ApiProperty({ type: [CustomPointBody] }) items!: CustomPointBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class CustomRollupsQuery extends OmitType(RollupsQuery, ['source']) {}
export class CustomAggregatedQuery extends OmitType(AggregatedQuery, ['source']) {}

export class CustomRollupBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:00:00Z' }) openTime!: string;
  /** Exclusive. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T22:00:00Z' }) closeTime!: string;
  @ApiProperty({ type: FiguresBody }) value!: FiguresBody;
}

export class CustomRollupsBody {
  @ApiProperty(NAME) name!: string;
  @ApiProperty({ enum: INTERVAL_NAMES, example: '1h' }) window!: IntervalName;
  /** How far median, p95 and p99 may be off, as a part of them. */
  @ApiProperty({ example: RELATIVE_ERROR.value }) relativeError!: number;
  /** Oldest first. */
  @ApiProperty({ type: [CustomRollupBody] }) items!: CustomRollupBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class CustomAggregatedBody {
  @ApiProperty(NAME) name!: string;
  @ApiProperty({ example: '1d' }) window!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-08T21:06:00Z' }) from!: string;
  /** End of the minute of the last point. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:06:00Z' }) to!: string;
  @ApiProperty({ example: RELATIVE_ERROR.value }) relativeError!: number;
  /** Null until the first points are rolled up, a moment after they are recorded. */
  @ApiProperty({ type: FiguresBody, nullable: true }) value!: FiguresBody | null;
}

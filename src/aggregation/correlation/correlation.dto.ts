import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsIn, IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import { INTERVAL_NAMES, type IntervalName } from '../../contracts/index.js';
import { SourceQuery } from '../../platform/http/index.js';
import { IntervalParameter } from '../interval.decorator.js';
import { type Missing, MISSING } from './closes.js';

const MOST_SYMBOLS = 50;
const MOST_LENGTH = 1000;
const SYMBOLS = {
  message: `must be a comma list of 2 to ${MOST_SYMBOLS} different symbols such as BTCUSDT,ETHUSDT or binance:BTCUSDT,kraken:BTCUSD`,
};

const WindowCount = (): PropertyDecorator => {
  const wanted = { message: `must be a whole number from 2 to ${MOST_LENGTH}` };
  return applyDecorators(
    Type(() => Number),
    IsInt(wanted),
    Min(2, wanted),
    Max(MOST_LENGTH, wanted),
  );
};

export class CorrelationQuery extends SourceQuery {
  /** `source` is for those that do not name their own, as in `kraken:BTCUSD`. */
  @ApiProperty({
    type: String,
    example: 'BTCUSDT,ETHUSDT,SOLUSDT',
    description: `Comma list of 2 to ${MOST_SYMBOLS} symbols, each also with its feed: \`kraken:BTCUSD\`.`,
  })
  @Transform(({ value }) => String(value).split(','))
  @ArrayMinSize(2, SYMBOLS)
  @ArrayMaxSize(MOST_SYMBOLS, SYMBOLS)
  @ArrayUnique(SYMBOLS)
  @Matches(/^([a-z0-9-]{1,40}:)?[A-Z0-9.-]{1,40}$/, { each: true, ...SYMBOLS })
  symbols!: string[];

  @IntervalParameter('5m')
  interval: IntervalName = '5m';

  /** Windows, and so returns. */
  @ApiPropertyOptional({ type: 'integer', minimum: 2, maximum: MOST_LENGTH, default: 100 })
  @WindowCount()
  length: number = 100;

  /** Also the correlation of every so many consecutive windows; up to `length`, and for at most 5 symbols. */
  @ApiPropertyOptional({ type: 'integer', minimum: 2, maximum: MOST_LENGTH })
  @IsOptional()
  @WindowCount()
  rolling?: number;

  /** What a window without a trade is: `skip` leaves it out, `hold` lets the last close stand. */
  @ApiPropertyOptional({ enum: MISSING, default: 'skip' })
  @IsIn(MISSING, { message: `must be ${MISSING.join(' or ')}` })
  missing: Missing = 'skip';
}

const NULLABLE_NUMBER = { type: Number, nullable: true } as const;

/** The three counts are of the closes of `length` windows and of the one before them. */
export class CorrelatedSymbolBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  /** Closes that are used. */
  @ApiProperty({ type: 'integer', example: 100 }) candles!: number;
  /** Windows in which nothing was traded. */
  @ApiProperty({ type: 'integer', example: 1 }) missing!: number;
  /** Windows of which not everything is known, never used. */
  @ApiProperty({ type: 'integer', example: 0 }) incomplete!: number;
}

export class CorrelatedPairBody {
  /** As asked for. */
  @ApiProperty({ example: 'BTCUSDT' }) a!: string;
  @ApiProperty({ example: 'ETHUSDT' }) b!: string;
  @ApiProperty({ ...NULLABLE_NUMBER, minimum: -1, maximum: 1, example: 0.8312 }) correlation!: number | null;
  /** Returns that both have, and what of `length` is left out. */
  @ApiProperty({ type: 'integer', example: 98 }) samples!: number;
  @ApiProperty({ type: 'integer', example: 2 }) skipped!: number;
  /** Only where there is no correlation. */
  @ApiPropertyOptional({ enum: ['too-few-samples', 'no-variance'] }) reason?: 'too-few-samples' | 'no-variance';
}

export class RollingPointBody {
  /** End of the last of the windows. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) time!: string;
  @ApiProperty({ ...NULLABLE_NUMBER, example: 0.79 }) correlation!: number | null;
}

export class RollingPairBody {
  @ApiProperty({ example: 'BTCUSDT' }) a!: string;
  @ApiProperty({ example: 'ETHUSDT' }) b!: string;
  /** Oldest first. */
  @ApiProperty({ type: [RollingPointBody] }) items!: RollingPointBody[];
}

export class CorrelationBody {
  @ApiProperty({ enum: INTERVAL_NAMES, example: '5m' }) interval!: IntervalName;
  @ApiProperty({ type: 'integer', example: 100 }) length!: number;
  @ApiProperty({ enum: MISSING, example: 'skip' }) missing!: Missing;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T12:45:00Z' }) from!: string;
  /** Exclusive: where the last closed candle of the symbol ends that closed one least recently. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) to!: string;
  /** In the order asked, as are the rows and columns of `matrix`. */
  @ApiProperty({ type: [CorrelatedSymbolBody] }) symbols!: CorrelatedSymbolBody[];
  @ApiProperty({
    type: 'array',
    items: { type: 'array', items: { type: 'number', nullable: true } },
    example: [
      [1, 0.8312],
      [0.8312, 1],
    ],
  })
  matrix!: (number | null)[][];
  @ApiProperty({ type: [CorrelatedPairBody] }) pairs!: CorrelatedPairBody[];
  /** Only with the parameter `rolling`. */
  @ApiPropertyOptional({ type: [RollingPairBody] }) rolling?: RollingPairBody[];
}

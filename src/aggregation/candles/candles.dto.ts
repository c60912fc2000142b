import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { INTERVAL_NAMES, type IntervalName } from '../../contracts/index.js';
import { DECIMAL, LimitParameter, RangeQuery } from '../../platform/http/index.js';
import { IntervalParameter } from '../interval.decorator.js';

export class OhlcvQuery extends RangeQuery {
  @IntervalParameter('1m')
  window: IntervalName = '1m';

  @LimitParameter({ most: 1000, byDefault: 500 })
  limit: number = 500;

  /** `previous` puts flat candles of volume 0 (`filled: true`) into windows without a trade, never across an open gap. */
  @ApiPropertyOptional({ enum: ['none', 'previous'], default: 'none' })
  @IsIn(['none', 'previous'], { message: 'must be none or previous' })
  fill: 'none' | 'previous' = 'none';
}

export class CandleBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) openTime!: string;
  /** Exclusive. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:10:00Z' }) closeTime!: string;
  @ApiProperty({ ...DECIMAL, example: '65080.1' }) open!: string;
  @ApiProperty({ ...DECIMAL, example: '65102' }) high!: string;
  @ApiProperty({ ...DECIMAL, example: '65071.53' }) low!: string;
  @ApiProperty({ ...DECIMAL, example: '65083.67' }) close!: string;
  @ApiProperty({ ...DECIMAL, example: '12.84' }) volume!: string;
  @ApiProperty({ ...DECIMAL, example: '835674.3228' }) quoteVolume!: string;
  @ApiProperty({ type: 'integer', example: 153 }) trades!: number;
  @ApiProperty({ ...DECIMAL, example: '7.1' }) takerBuyVolume!: string;
  @ApiProperty({ ...DECIMAL, example: '462094.057' }) takerBuyQuoteVolume!: string;
  /** quoteVolume / volume, rounded half up to 8 decimals; null without volume. */
  @ApiProperty({ ...DECIMAL, nullable: true, example: '65083.66999999' }) vwap!: string | null;
  @ApiProperty() closed!: boolean;
  /** How often it changed after it was closed. */
  @ApiProperty({ type: 'integer', example: 0 }) revision!: number;
  /** A hole in the trades touches it. */
  @ApiProperty() incomplete!: boolean;
  /** Only on candles that `fill` made. */
  @ApiPropertyOptional() filled?: true;
}

export class OhlcvBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ enum: INTERVAL_NAMES, example: '5m' }) window!: IntervalName;
  /** Oldest first. */
  @ApiProperty({ type: [CandleBody] }) candles!: CandleBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { INTERVAL_NAMES, type IntervalName } from '../../contracts/index.js';
import { DECIMAL, SourceQuery } from '../../platform/http/index.js';
import { SpanParameter } from '../span.decorator.js';

const SIDE_DECIMAL = { ...DECIMAL, nullable: true } as const;
const NULLABLE_NUMBER = { type: Number, nullable: true } as const;

export class FlowQuery extends SourceQuery {
  @SpanParameter('Rolling span in whole minutes, up to the minute of the last trade.', '1h')
  window: number = 3_600_000;

  /** Also the flow of each candle of this interval; no longer than `window`, and at most 1,440 of them. */
  @ApiPropertyOptional({ enum: INTERVAL_NAMES })
  @IsOptional()
  @IsIn(INTERVAL_NAMES, { message: `must be one of ${INTERVAL_NAMES.join(', ')}` })
  points?: IntervalName;
}

/** Null throughout where the venue does not tell the taker's side. */
export class PressureBody {
  @ApiProperty({ ...SIDE_DECIMAL, example: '7.1' }) takerBuyVolume!: string | null;
  @ApiProperty({ ...SIDE_DECIMAL, example: '5.74' }) takerSellVolume!: string | null;
  @ApiProperty({ ...SIDE_DECIMAL, example: '462094.057' }) takerBuyQuoteVolume!: string | null;
  @ApiProperty({ ...SIDE_DECIMAL, example: '373580.2658' }) takerSellQuoteVolume!: string | null;
  /** (buy - sell) / (buy + sell) of the volume, rounded half up to 8 decimals; null without volume too. */
  @ApiProperty({ ...NULLABLE_NUMBER, minimum: -1, maximum: 1, example: 0.105919 }) imbalance!: number | null;
}

export class FlowPointBody extends PressureBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) openTime!: string;
  @ApiProperty({ type: 'integer', example: 153 }) trades!: number;
  /** A hole in the trades touches it. */
  @ApiProperty() incomplete!: boolean;
}

export class BusiestMinuteBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T20:31:00Z' }) openTime!: string;
  @ApiProperty({ type: 'integer', example: 412 }) trades!: number;
  @ApiProperty({ example: 6.8667 }) tradesPerSecond!: number;
}

export class DecadeBody {
  /** Sizes from here up to `to` count. */
  @ApiProperty({ example: 0.01 }) from!: number;
  @ApiProperty({ example: 0.1 }) to!: number;
  @ApiProperty({ type: 'integer', example: 901 }) count!: number;
}

/** Sizes in base currency. Quantiles are within `relativeError` of the size that stands there. */
export class TradeSizesBody {
  @ApiProperty({ type: 'integer', example: 1529 }) count!: number;
  @ApiProperty({ example: 0.00001 }) min!: number;
  @ApiProperty({ example: 2.51 }) max!: number;
  @ApiProperty({ example: 0.0084 }) mean!: number;
  @ApiProperty({ example: 0.00121 }) median!: number;
  @ApiProperty({ example: 0.0413 }) p95!: number;
  @ApiProperty({ example: 0.1522 }) p99!: number;
  @ApiProperty({ example: 0.01 }) relativeError!: number;
  /** By decades, ascending. */
  @ApiProperty({ type: [DecadeBody] }) histogram!: DecadeBody[];
}

export class FlowBody extends PressureBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: '1h' }) window!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T20:06:00Z' }) from!: string;
  /** End of the minute of the last trade. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:06:00Z' }) to!: string;
  /** The venue tells the taker's side. */
  @ApiProperty() sides!: boolean;
  @ApiProperty({ ...DECIMAL, example: '12.84' }) volume!: string;
  @ApiProperty({ ...DECIMAL, example: '835674.3228' }) quoteVolume!: string;
  @ApiProperty({ type: 'integer', example: 1529 }) trades!: number;
  /** Mean over the whole window, to 4 decimals. */
  @ApiProperty({ example: 0.4247 }) tradesPerSecond!: number;
  /** The first of several; null without trades. */
  @ApiProperty({ type: BusiestMinuteBody, nullable: true }) busiestMinute!: BusiestMinuteBody | null;
  /** Null without trades. */
  @ApiProperty({ type: TradeSizesBody, nullable: true }) tradeSizes!: TradeSizesBody | null;
  /** A hole in the trades touches the window, or the series is younger than it. */
  @ApiProperty() incomplete!: boolean;
  /** Only with the parameter `points`: the candles that open in the window, oldest first, none for one without a trade. */
  @ApiPropertyOptional({ type: [FlowPointBody] }) items?: FlowPointBody[];
}

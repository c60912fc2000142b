import { ApiProperty } from '@nestjs/swagger';
import { DECIMAL } from '../../platform/http/index.js';
import { SeriesAnomaliesBody } from '../anomalies/anomalies.dto.js';
import { IndicatorPointBody } from '../indicators/indicators.dto.js';
import { DayChangeBody } from '../windows/windows.dto.js';

export class LastMinuteBody {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) openTime!: string;
  @ApiProperty({ ...DECIMAL, example: '65102' }) high!: string;
  @ApiProperty({ ...DECIMAL, example: '65071.53' }) low!: string;
  /** high - low: how far the price moved within the minute. */
  @ApiProperty({ ...DECIMAL, example: '30.47' }) spread!: string;
  /** Of the low, in percent. */
  @ApiProperty({ example: 0.0468 }) spreadPercent!: number;
  @ApiProperty({ ...DECIMAL, example: '12.84' }) volume!: string;
  @ApiProperty({ type: 'integer', example: 153 }) trades!: number;
  @ApiProperty() incomplete!: boolean;
}

export class MetricsBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ ...DECIMAL, example: '65083.67' }) price!: string;
  @ApiProperty({ type: DayChangeBody }) day!: DayChangeBody;
  /** The minute of the last trade, still open. */
  @ApiProperty({ type: LastMinuteBody }) lastMinute!: LastMinuteBody;
  /** Every indicator at its defaults on candles of 1m, the open one included. */
  @ApiProperty({ type: IndicatorPointBody }) indicators!: IndicatorPointBody;
  @ApiProperty({ type: SeriesAnomaliesBody }) anomalies!: SeriesAnomaliesBody;
}

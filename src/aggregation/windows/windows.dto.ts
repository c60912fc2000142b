import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, ArrayUnique, IsOptional, Matches } from 'class-validator';
import { formatInstant, SYMBOL } from '../../contracts/index.js';
import { CursorParameter, DECIMAL, LimitParameter, SourceQuery } from '../../platform/http/index.js';
import { SpanParameter } from '../span.decorator.js';
import type { DayChange } from './day-change.js';
import type { Window } from './window.store.js';

export class DayChangesQuery extends SourceQuery {
  @ApiPropertyOptional({
    type: String,
    description: 'Comma list of up to 100 symbols; left out, every series, page by page.',
  })
  @IsOptional()
  @Transform(({ value }) => String(value).split(','))
  @ArrayUnique({ message: 'must not name a symbol twice' })
  @ArrayMaxSize(100, { message: 'must be at most 100 symbols' })
  @Matches(SYMBOL, { each: true, message: 'must be a comma list of symbols such as BTCUSDT,ETHUSDT' })
  symbols?: string[];

  @LimitParameter({ most: 100, byDefault: 100 })
  limit: number = 100;

  @CursorParameter()
  cursor?: string;
}

export class DayChangeBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ ...DECIMAL, example: '65083.67' }) price!: string;
  @ApiProperty({ ...DECIMAL, example: '66303.8' }) openPrice!: string;
  @ApiProperty({ ...DECIMAL, example: '-1220.13' }) priceChange!: string;
  @ApiProperty({ example: -1.8402 }) priceChangePercent!: number;
  @ApiProperty({ ...DECIMAL, example: '66410' }) high!: string;
  @ApiProperty({ ...DECIMAL, example: '64800.5' }) low!: string;
  @ApiProperty({ ...DECIMAL, example: '18211.4' }) volume!: string;
  @ApiProperty({ ...DECIMAL, example: '1192830044.2' }) quoteVolume!: string;
  /** Of the 24 hours before `from`. */
  @ApiProperty({ ...DECIMAL, example: '16202.2' }) previousVolume!: string;
  /** Null when the previous period had no volume, or is not wholly known. */
  @ApiProperty({ type: Number, nullable: true, example: 12.4 }) volumeChangePercent!: number | null;
  @ApiProperty({ type: 'integer', example: 81234 }) trades!: number;
  /** A hole in the trades touches the 24 hours, or the series is younger than they are. */
  @ApiProperty() incomplete!: boolean;
  @ApiProperty({ format: 'date-time', example: '2026-08-08T21:06:00Z' }) from!: string;
  /** End of the minute of the last trade: event time, not the clock of the server. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:06:00Z' }) to!: string;
}

export class DayChangesBody {
  /** In the order asked, or by source and symbol. */
  @ApiProperty({ type: [DayChangeBody] }) items!: DayChangeBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class VwapQuery extends SourceQuery {
  @SpanParameter('`session`: since midnight UTC; or a rolling span in whole minutes.', 'session', ['session'])
  window: 'session' | number = 'session';
}

export class VwapBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  /** `session`, or the span in the largest unit that divides it: `24h` is told as `1d`. */
  @ApiProperty({ example: 'session' }) window!: string;
  /** quoteVolume / volume, rounded half up to 8 decimals; null without volume. */
  @ApiProperty({ ...DECIMAL, nullable: true, example: '65083.66999999' }) vwap!: string | null;
  @ApiProperty({ ...DECIMAL, example: '18211.4' }) volume!: string;
  @ApiProperty({ ...DECIMAL, example: '1192830044.2' }) quoteVolume!: string;
  @ApiProperty({ type: 'integer', example: 81234 }) trades!: number;
  /** A hole in the trades touches the window, or the series is younger than it. */
  @ApiProperty() incomplete!: boolean;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T00:00:00Z' }) from!: string;
  /** End of the minute of the last trade. */
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:06:00Z' }) to!: string;
}

export function dayBody({ fromUs, toUs, ...day }: Window & DayChange): DayChangeBody {
  return { ...day, ...instants({ fromUs, toUs }) };
}

/** The bounds of a window as bodies tell them. */
export const instants = ({ fromUs, toUs }: { fromUs: number; toUs: number }) => ({
  from: formatInstant(fromUs),
  to: formatInstant(toUs),
});

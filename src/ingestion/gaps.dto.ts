import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { SYMBOL } from '../contracts/index.js';
import { CursorParameter, InstantParameter, LimitParameter, SourceQuery } from '../platform/http/index.js';
import { GAP_STATES, type GapState } from './gap.store.js';

const ID = { message: 'must be a trade id, an integer between 0 and 2^63 - 2, as text' };
const INSTANT = { type: String, format: 'date-time', nullable: true } as const;

export class GapsQuery extends SourceQuery {
  @ApiPropertyOptional({ example: 'BTCUSDT' })
  @IsOptional()
  @Matches(SYMBOL, { message: 'must be a symbol such as BTCUSDT' })
  symbol?: string;

  /** A comma list; left out, all. */
  @ApiPropertyOptional({ type: String, example: 'open,filling', description: GAP_STATES.join(', ') })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? value.split(',') : value))
  @IsIn(GAP_STATES, { each: true, message: `must be a list out of ${GAP_STATES.join(', ')}` })
  state?: GapState[];

  /** Only gaps that a person asked to be filled, or only others. */
  @ApiPropertyOptional({ enum: ['true', 'false'] })
  @IsOptional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  requested?: 'true' | 'false';

  @LimitParameter({ most: 500, byDefault: 100 })
  limit: number = 100;

  @CursorParameter()
  cursor?: string;
}

export class GapBody {
  @ApiProperty({ example: '17' }) id!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'BTCUSDT' }) venueSymbol!: string;
  /** First and last missing id; some between them may be recorded. */
  @ApiProperty({ example: '1068572091' }) fromTradeId!: string;
  @ApiProperty({ example: '1068572412' }) toTradeId!: string;
  /** Where the venue numbers no trades (Finnhub): from when to when nobody listened. Else null. */
  @ApiProperty({ ...INSTANT, example: null }) from!: string | null;
  @ApiProperty({ ...INSTANT, example: null }) to!: string | null;
  /** `open`: found. `filling`: the venue is being asked. `closed`: complete. `unfillable`: it stays, `reason` says why. */
  @ApiProperty({ enum: GAP_STATES }) state!: GapState;
  @ApiProperty({ type: String, nullable: true, example: null }) reason!: string | null;
  /** A person asked for these trades. */
  @ApiProperty() requested!: boolean;
  /** Trades missing when it was found; null where the venue numbers none. */
  @ApiProperty({ type: 'integer', nullable: true, example: 322 }) missing!: number | null;
  /** Of them, missing now. */
  @ApiProperty({ type: 'integer', nullable: true, example: 22 }) remaining!: number | null;
  /** Trades that the venue gave for it so far, repeated ones included. */
  @ApiProperty({ type: 'integer', example: 300 }) fetched!: number;
  /** Recorded share of what was missing, 0 to 1; null where it is not known. */
  @ApiProperty({ nullable: true, type: Number, example: 0.9317 }) progress!: number | null;
  @ApiProperty({ type: String, format: 'date-time', example: '2026-08-09T21:05:48.167634Z' }) openedAt!: string;
  @ApiProperty({ ...INSTANT, example: null }) closedAt!: string | null;
}

export class GapsBody {
  /** Newest first. */
  @ApiProperty({ type: [GapBody] }) items!: GapBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

/** A range to fetch, by trade ids or by instants. The start must be given; an end left out is that of the series. */
export class BackfillRequest {
  /** Canonical (`BTCUSD`) or as the venue spells it (`BTC-USD`). */
  @ApiProperty({ example: 'BTCUSDT' })
  @Matches(/^[A-Za-z0-9.:/_ -]{1,60}$/, { message: 'must be a symbol of this feed such as BTCUSDT' })
  symbol!: string;

  /** First id, inclusive. This or `from` must be given, not both. */
  @ApiPropertyOptional({ example: '1068570000' })
  @IsOptional()
  @Matches(/^(0|[1-9]\d{0,17})$/, ID)
  fromTradeId?: string;

  /** Last id, inclusive; beside `fromTradeId`. */
  @ApiPropertyOptional({ example: '1068580000' })
  @IsOptional()
  @Matches(/^(0|[1-9]\d{0,17})$/, ID)
  toTradeId?: string;

  @InstantParameter('First instant, inclusive. This or `fromTradeId` must be given, not both.')
  from?: number;

  @InstantParameter('Last instant, exclusive; beside `from`.')
  to?: number;
}

export class BackfillBody {
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  /** The range in trade ids. */
  @ApiProperty({ example: '1068570000' }) fromTradeId!: string;
  @ApiProperty({ example: '1068580000' }) toTradeId!: string;
  /** Where to follow its progress; null when nothing of the range is missing, or all of it is being fetched already. */
  @ApiProperty({ type: GapBody, nullable: true }) gap!: GapBody | null;
}

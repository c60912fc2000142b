import { ApiProperty } from '@nestjs/swagger';

const INSTANT = { type: String, format: 'date-time', nullable: true, example: '2026-08-09T21:05:48.167634Z' } as const;

export class FeedSymbolBody {
  @ApiProperty({ example: 'BTCUSDT' }) venueSymbol!: string;
  /** Trades received since the process started. */
  @ApiProperty({ type: 'integer', example: 8123 }) trades!: number;
  @ApiProperty(INSTANT) lastTradedAt!: string | null;
  /** Since the last trade was received; null before the first. */
  @ApiProperty({ type: 'integer', nullable: true, example: 120 }) lastTradeAgeMs!: number | null;
}

export class FeedBody {
  @ApiProperty({ example: 'simulator' }) source!: string;
  @ApiProperty({ example: 'Simulator' }) exchange!: string;
  /** The trades are made up. */
  @ApiProperty() simulated!: boolean;
  @ApiProperty({ enum: ['connecting', 'connected', 'waiting', 'stopped'] }) state!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:00:00Z' }) since!: string;
  /** Why it is in this state, in words. */
  @ApiProperty({ example: 'the venue accepted the connection' }) reason!: string;
  @ApiProperty({ type: String, nullable: true, example: null }) lastError!: string | null;
  @ApiProperty(INSTANT) lastFrameAt!: string | null;
  @ApiProperty({ type: 'integer', example: 81234 }) frames!: number;
  @ApiProperty({ type: 'integer', example: 0 }) reconnects!: number;
  /** Holes being filled now. */
  @ApiProperty({ type: 'integer', example: 0 }) openGaps!: number;
  @ApiProperty({ type: [FeedSymbolBody] }) symbols!: FeedSymbolBody[];
}

export class FeedsBody {
  @ApiProperty({ type: [FeedBody] }) items!: FeedBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

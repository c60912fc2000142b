import { ApiProperty } from '@nestjs/swagger';

const INSTANT = { type: String, format: 'date-time', nullable: true, example: '2026-08-09T21:05:48.167634Z' } as const;

export class FeedSymbolBody {
  /** As the venue spells it. */
  @ApiProperty({ example: 'BTC-USD' }) venueSymbol!: string;
  @ApiProperty({ example: 'BTCUSD' }) symbol!: string;
  /**
   * `waiting`: no trade yet. `quiet`: silent beyond its pace, and the venue has nothing newer. `unknown`: not on the
   * venue's list, not read. `refused`: the venue would not subscribe it.
   */
  @ApiProperty({ enum: ['waiting', 'trading', 'quiet', 'unknown', 'refused'] }) state!: string;
  /** In words, where the state alone does not tell. */
  @ApiProperty({ type: String, nullable: true, example: null }) reason!: string | null;
  /** Trades received since the process started. */
  @ApiProperty({ type: 'integer', example: 8123 }) trades!: number;
  /** Over the last minute. */
  @ApiProperty({ example: 4.2 }) tradesPerSecond!: number;
  @ApiProperty(INSTANT) lastTradedAt!: string | null;
  /** Since the last trade was received; null before the first. */
  @ApiProperty({ type: 'integer', nullable: true, example: 120 }) lastTradeAgeMs!: number | null;
}

export class FeedLimitBody {
  @ApiProperty({ example: 'connection attempts in 5 minutes' }) name!: string;
  @ApiProperty({ example: 2 }) used!: number;
  @ApiProperty({ example: 250 }) allowed!: number;
}

export class FeedBody {
  @ApiProperty({ example: 'coinbase' }) source!: string;
  @ApiProperty({ example: 'Coinbase' }) exchange!: string;
  /** The trades are made up. */
  @ApiProperty() simulated!: boolean;
  /** Asked on a schedule: its entries are observed values, prices without a trade. */
  @ApiProperty() polled!: boolean;
  @ApiProperty({ enum: ['connecting', 'connected', 'waiting', 'stopped'] }) state!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:00:00Z' }) since!: string;
  /** Why it is in this state, in words. */
  @ApiProperty({ example: 'the venue accepted the connection' }) reason!: string;
  @ApiProperty({ type: String, nullable: true, example: null }) lastError!: string | null;
  /** When that was; what went wrong may be over long ago. */
  @ApiProperty(INSTANT) lastErrorAt!: string | null;
  @ApiProperty(INSTANT) lastFrameAt!: string | null;
  /** Since the last frame of any kind; null before the first. */
  @ApiProperty({ type: 'integer', nullable: true, example: 80 }) lastFrameAgeMs!: number | null;
  @ApiProperty({ type: 'integer', example: 81234 }) frames!: number;
  /** Over all its symbols, over the last minute. */
  @ApiProperty({ example: 18.4 }) tradesPerSecond!: number;
  /** Sockets, or series that are polled. */
  @ApiProperty({ type: 'integer', example: 1 }) connections!: number;
  @ApiProperty({ type: 'integer', example: 0 }) reconnects!: number;
  /** Holes being filled now, and how many trades were missing when they were found. */
  @ApiProperty({ type: 'integer', example: 0 }) openGaps!: number;
  @ApiProperty({ type: 'integer', example: 0 }) missingTrades!: number;
  /** The venue's limits, or ours below them, and how much of each is in use. */
  @ApiProperty({ type: [FeedLimitBody] }) limits!: FeedLimitBody[];
  @ApiProperty({ type: [FeedSymbolBody] }) symbols!: FeedSymbolBody[];
}

export class FeedsBody {
  @ApiProperty({ type: [FeedBody] }) items!: FeedBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

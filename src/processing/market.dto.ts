import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { DECIMAL, LimitParameter, RangeQuery } from '../platform/http/index.js';

export class TradesQuery extends RangeQuery {
  @LimitParameter({ most: 1000, byDefault: 100 })
  limit: number = 100;
}

export class TradeBody {
  @ApiProperty({ example: '1068572091' }) tradeId!: string;
  @ApiProperty({ ...DECIMAL, example: '65083.67' }) price!: string;
  /** `0` is a price without a trade. */
  @ApiProperty({ ...DECIMAL, example: '0.01034361' }) size!: string;
  /** The taker's side; absent where the venue does not say. */
  @ApiPropertyOptional({ enum: ['buy', 'sell'] }) side?: 'buy' | 'sell';
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:48.167634Z' }) tradedAt!: string;
}

export class PriceBody extends TradeBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
}

export class TradesBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  /** Oldest first. */
  @ApiProperty({ type: [TradeBody] }) items!: TradeBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class SymbolBody {
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'Binance' }) exchange!: string;
  @ApiProperty({ example: 'BTCUSDT' }) venueSymbol!: string;
  /** Of the last trade. */
  @ApiProperty({ ...DECIMAL, nullable: true, example: '65083.67' }) price!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: '2026-08-09T21:05:48.167634Z' })
  tradedAt!: string | null;
}

export class SymbolsBody {
  @ApiProperty({ type: [SymbolBody] }) items!: SymbolBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

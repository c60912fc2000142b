import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsIn, IsOptional, IsString, Matches, MaxLength } from 'class-validator';
import { SYMBOL } from '../contracts/index.js';
import { MAX_SYMBOLS, SOURCE } from './filter.js';
import { STREAM_TYPES, type StreamType } from './published.js';

/** `a,b` or repeated parameters to a list. An empty one is refused: a client whose list ran empty does not want everything. */
const CommaList = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => {
    if (value === undefined) return undefined;
    const items = [value].flat().flatMap((part) => String(part).split(','));
    return [...new Set(items.map((item) => item.trim()))];
  });

export class StreamQuery {
  @ApiPropertyOptional({
    type: String,
    example: 'BTCUSDT,ETHUSDT',
    description: `Comma list of at most ${MAX_SYMBOLS}; left out, every symbol.`,
  })
  @CommaList()
  @IsOptional()
  @ArrayMaxSize(MAX_SYMBOLS, { message: `must list at most ${MAX_SYMBOLS} symbols` })
  @Matches(SYMBOL, { each: true, message: 'must be a comma list of canonical symbols such as BTCUSDT,ETHUSDT' })
  symbols?: string[];

  @ApiPropertyOptional({
    type: String,
    example: 'trade,candle-closed',
    description: `Comma list out of ${STREAM_TYPES.map((type) => `\`${type}\``).join(', ')}; left out, every type.`,
  })
  @CommaList()
  @IsOptional()
  @IsIn(STREAM_TYPES, { each: true, message: `must be a comma list out of ${STREAM_TYPES.join(', ')}` })
  types?: StreamType[];

  @ApiPropertyOptional({ example: 'simulator', description: 'Only this feed; left out, every feed.' })
  @IsOptional()
  @Matches(SOURCE, { message: 'must be the id of a feed such as simulator or binance' })
  source?: string;

  @ApiPropertyOptional({
    example: '104233',
    description: 'As the header `Last-Event-ID`, which goes before it, for clients that cannot set headers.',
  })
  @IsOptional()
  @IsString({ message: 'must be given once' })
  @MaxLength(100, { message: 'must be an id of this stream' })
  lastEventId?: string;
}

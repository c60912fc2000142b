import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, Matches } from 'class-validator';
import { InstantParameter } from './instant.decorator.js';
import { CursorParameter } from './list.decorator.js';

/** Every route with a symbol takes a source. */
export class SourceQuery {
  /** Feed to ask; left out, the first configured feed that has the symbol answers, and says which. */
  @ApiPropertyOptional()
  @IsOptional()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'must be the id of a feed such as simulator or binance' })
  source?: string;
}

/** Every list over time pages alike: forward from `from`, or backward from `to`. */
export class RangeQuery extends SourceQuery {
  @InstantParameter('First instant, inclusive; left out, pages go backward from `to`.')
  from?: number;

  @InstantParameter('Last instant, exclusive; left out, now.')
  to?: number;

  @CursorParameter()
  cursor?: string;
}

/** A route without parameters says so, instead of ignoring what it is sent. */
export class NoQuery {}

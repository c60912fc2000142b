import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsObject, IsOptional, Max, Min } from 'class-validator';
import { parseInstant } from '../../contracts/index.js';
import { YEAR_9999_US } from '../../platform/http/index.js';
import { RuleRequest } from '../rules/rules.dto.js';

const WANTED = { message: 'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z, or epoch milliseconds' };

/** An instant in a body; read as epoch microseconds. */
function BodyInstant(description: string): PropertyDecorator {
  const rules = [
    ApiPropertyOptional({ type: String, format: 'date-time', description }),
    IsOptional(),
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (parseInstant(value) ?? value) : typeof value === 'number' ? value * 1000 : value,
    ),
    IsInt(WANTED),
    Min(0, WANTED),
    Max(YEAR_9999_US, WANTED),
  ];
  return (target, key) => rules.forEach((rule) => rule(target, key));
}

export class BacktestRequest {
  @BodyInstant('First instant, inclusive; left out, a day before `to`. At most 31 days before it.')
  from?: number;

  @BodyInstant('Last instant, exclusive; left out, now.')
  to?: number;
}

export class DraftBacktestRequest extends BacktestRequest {
  /** As `POST rules` takes it. */
  @ApiProperty({ type: RuleRequest })
  @IsObject({ message: 'must be a rule as POST rules takes it' })
  rule!: Record<string, unknown>;
}

class TransitionAnswer {
  @ApiProperty({ example: 'fired' }) kind!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) at!: string;
  @ApiProperty({ type: Number, nullable: true, example: 50012.5 }) value!: number | null;
  @ApiPropertyOptional({ example: 'condition' }) reason?: string;
}

export class EpisodeAnswer {
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  /** `condition`, or `no-data`. */
  @ApiProperty({ example: 'condition' }) openedBy!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null }) pendingSince!: string | null;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:00Z' }) startedAt!: string;
  /** Null: it was not over at the end. */
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: '2026-08-09T21:07:12.5Z' })
  resolvedAt!: string | null;
  @ApiProperty({ type: String, nullable: true, example: 'condition' }) resolution!: string | null;
  /** What the condition reads first, when it fired and when it was over. */
  @ApiProperty({ type: Number, nullable: true, example: 50012.5 }) value!: number | null;
  @ApiProperty({ type: Number, nullable: true, example: 49990 }) resolvedValue!: number | null;
  @ApiProperty({ type: 'integer', example: 0 }) refired!: number;
  /** Whether a notification of its firing would have gone out, or the cooldown would have held it back. */
  @ApiProperty({ enum: ['sent', 'held'] }) firing!: 'sent' | 'held';
  /** The first hundred. */
  @ApiProperty({ type: [TransitionAnswer] }) transitions!: TransitionAnswer[];
}

class SeriesAnswer {
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
}

export class BacktestAnswer {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T00:00:00Z' }) from!: string;
  @ApiProperty({ format: 'date-time', example: '2026-08-10T00:00:00Z' }) to!: string;
  /** Those that it ran over: the first two hundred that the rule watches and that were recorded. */
  @ApiProperty({ type: [SeriesAnswer] }) series!: SeriesAnswer[];
  /** How many the rule watches and were recorded. */
  @ApiProperty({ type: 'integer', example: 1 }) found!: number;
  /** How many of them it did not run over. */
  @ApiProperty({ type: 'integer', example: 0 }) leftOut!: number;
  @ApiProperty({ type: 'integer', example: 81234 }) trades!: number;
  @ApiProperty({ type: 'integer', example: 81234 }) evaluations!: number;
  /** By series, in order of their end. */
  @ApiProperty({ type: [EpisodeAnswer] }) episodes!: EpisodeAnswer[];
  /** There were more than ten thousand: it ended there. */
  @ApiProperty() truncated!: boolean;
}

import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { durationMs } from '../platform/config/index.js';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;

/**
 * A query parameter that is a rolling span such as `90m`: whole minutes, up to 7 days, or one of the `words`. A span is
 * read as milliseconds; what else is sent is a 400 that says so.
 */
export function SpanParameter(description: string, example: string, words: readonly string[] = []): PropertyDecorator {
  const spans = 'whole minutes from 1m to 7d, such as 15m, 1h, 24h or 7d';
  const message = `must be ${[...words, spans].join(', or ')}`;
  const isSpan = (value: unknown): boolean =>
    typeof value === 'number' && value % MINUTE_MS === 0 && value >= MINUTE_MS && value <= WEEK_MS;
  return applyDecorators(
    ApiPropertyOptional({ type: String, description, default: example }),
    Transform(({ value }) => durationMs(value) ?? value),
    ValidateBy(
      { name: 'span', validator: { validate: (value) => isSpan(value) || words.includes(value as string) } },
      { message },
    ),
  );
}

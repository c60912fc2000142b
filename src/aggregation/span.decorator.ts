import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';
import { durationMs } from '../platform/config/index.js';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;

/**
 * A query parameter that is a rolling span such as `90m`: whole minutes, up to 7 days. Read as milliseconds; what else is
 * sent is a 400 that says so.
 */
export function SpanParameter(description: string, example: string): PropertyDecorator {
  const wanted = { message: 'must be whole minutes from 1m to 7d, such as 15m, 1h, 24h or 7d' };
  return applyDecorators(
    ApiPropertyOptional({ type: String, description, default: example }),
    Transform(({ value }) => {
      if (typeof value === 'number') return value; // the default
      const ms = durationMs(value);
      return ms !== undefined && ms % MINUTE_MS === 0 ? ms : value;
    }),
    IsInt(wanted),
    Min(MINUTE_MS, wanted),
    Max(WEEK_MS, wanted),
  );
}

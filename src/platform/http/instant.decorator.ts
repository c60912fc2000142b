import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { parseInstant } from '../../contracts/index.js';

const WANTED = { message: 'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z, or epoch milliseconds' };
/** What RFC 3339 can write. */
const YEAR_1_US = Date.parse('0001-01-01T00:00:00Z') * 1000;
export const YEAR_9999_US = Date.parse('9999-12-31T23:59:59Z') * 1000;

/** A query parameter that is an RFC 3339 instant, or epoch milliseconds; read as epoch microseconds. */
export function InstantParameter(description: string): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({
      type: String,
      description: `${description} RFC 3339 such as 2026-08-09T21:00:00Z, or epoch milliseconds.`,
    }),
    IsOptional(),
    Transform(({ value }) =>
      /^\d{1,15}$/.test(String(value)) ? Number(value) * 1000 : (parseInstant(String(value)) ?? value),
    ),
    IsInt(WANTED),
    Min(YEAR_1_US, WANTED),
    Max(YEAR_9999_US, WANTED),
  );
}

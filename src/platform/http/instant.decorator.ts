import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { parseInstant } from '../../contracts/index.js';

const WANTED = { message: 'must be an RFC 3339 instant such as 2026-08-09T21:00:00Z, or epoch milliseconds' };
const YEAR_9999_US = Date.UTC(9999, 0, 1) * 1000;

/** A query parameter that is an RFC 3339 instant, or epoch milliseconds; read as epoch microseconds. */
export function InstantParameter(description: string): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({
      type: String,
      description: `${description} RFC 3339, or epoch milliseconds.`,
      example: '2026-08-09T21:00:00Z',
    }),
    IsOptional(),
    Transform(({ value }) =>
      /^\d{1,15}$/.test(String(value)) ? Number(value) * 1000 : (parseInstant(String(value)) ?? value),
    ),
    IsInt(WANTED),
    Min(0, WANTED),
    Max(YEAR_9999_US, WANTED),
  );
}

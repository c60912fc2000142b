import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';

/** A query parameter that says how many items a page holds at most. */
export function LimitParameter({ most, byDefault }: Readonly<{ most: number; byDefault: number }>): PropertyDecorator {
  const wanted = { message: `must be a whole number from 1 to ${most}` };
  return applyDecorators(
    ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: most, default: byDefault }),
    Type(() => Number),
    IsInt(wanted),
    Min(1, wanted),
    Max(most, wanted),
  );
}

/** A query parameter that goes on where an earlier answer ended. */
export function CursorParameter(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: String, description: '`nextCursor` of the answer before.' }),
    IsOptional(),
    Matches(/^[\w-]{1,400}$/, { message: 'must be the nextCursor of an earlier answer' }),
  );
}

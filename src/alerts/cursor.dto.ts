import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';
import { badParameter } from '../platform/errors/index.js';
import { decodeCursor } from '../platform/http/index.js';

const WANTED = { message: 'must be a whole number from 1 to 500' };

/** Of a list that is paged by its own order. */
export class CursorQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 500, default: 100 })
  @Type(() => Number)
  @IsInt(WANTED)
  @Min(1, WANTED)
  @Max(500, WANTED)
  limit: number = 100;

  /** `nextCursor` of the answer before. */
  @ApiPropertyOptional()
  @IsOptional()
  @Matches(/^[\w-]{1,400}$/, { message: 'must be the nextCursor of an earlier answer' })
  cursor?: string;
}

/** The id that a cursor of such a list holds. */
export function idOf(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const [id] = decodeCursor(cursor, 1);
  if (!/^\d{1,18}$/.test(String(id))) throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return String(id);
}

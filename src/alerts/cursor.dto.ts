import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Matches, Max, Min } from 'class-validator';

/** Of a list that is paged by its own order. */
export class CursorQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 500, default: 100 })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  limit: number = 100;

  /** `nextCursor` of the answer before. */
  @ApiPropertyOptional()
  @IsOptional()
  @Matches(/^[\w-]{1,400}$/, { message: 'must be the nextCursor of an earlier answer' })
  cursor?: string;
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsIn, IsOptional, IsString, IsUUID, Length, Matches } from 'class-validator';
import { type Json, LOG_LEVELS, type LogLevel } from '../../contracts/index.js';
import { NewestFirstQuery } from '../newest-first.dto.js';
import { MOST_TRACE_ID } from './log-row.js';

const LEVELS = LOG_LEVELS.join(', ');

export class LogsQuery extends NewestFirstQuery {
  /** Words that must all occur, in the message or the values of the fields; `"in a row"`, `-not`, `or`. */
  @ApiPropertyOptional({ example: 'timeout "order service" -retry' })
  @IsOptional()
  @IsString()
  @Length(1, 200, { message: 'must be a text of 1 to 200 characters' })
  q?: string;

  /** A comma list; left out, all, those without a level among them. */
  @ApiPropertyOptional({ type: String, example: 'error,fatal', description: LEVELS })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? value.split(',') : value))
  @ArrayMaxSize(20)
  @IsIn(LOG_LEVELS, { each: true, message: `must be a list out of ${LEVELS}` })
  level?: LogLevel[];

  /** This level and the severer ones. */
  @ApiPropertyOptional({ enum: LOG_LEVELS })
  @IsOptional()
  @IsIn(LOG_LEVELS, { message: `must be one of ${LEVELS}` })
  minLevel?: LogLevel;

  /** Id of an uploaded file. */
  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID('all', { message: 'must be the id of a file, a UUID' })
  file?: string;

  /** Which parser read the line. */
  @ApiPropertyOptional({ example: 'json' })
  @IsOptional()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'must be the name of a format such as json or syslog-5424' })
  format?: string;

  @ApiPropertyOptional({ example: '4bf92f3577b34da6a3ce929d0e0e4736' })
  @IsOptional()
  @IsString()
  @Length(1, MOST_TRACE_ID, { message: `must be a text of 1 to ${MOST_TRACE_ID} characters` })
  @Matches(/^[^\0]*$/, { message: 'must hold no U+0000' })
  traceId?: string;
}

export class LogFileBody {
  /** `GET /api/v1/files/{id}`. */
  @ApiProperty({ format: 'uuid', nullable: true, type: String }) id!: string | null;
  /** On which the event begins, from 1. */
  @ApiProperty({ type: 'integer', example: 42 }) line!: number;
}

export class LogEventBody {
  @ApiProperty({ example: '4294967338' }) id!: string;
  @ApiProperty({ format: 'date-time' }) at!: string;
  /** Null where the line tells none. */
  @ApiProperty({ enum: LOG_LEVELS, nullable: true }) level!: LogLevel | null;
  @ApiProperty({ example: 'connection refused' }) message!: string;
  @ApiProperty({ example: 'json' }) format!: string;
  @ApiProperty({ type: LogFileBody }) file!: LogFileBody;
  @ApiProperty({ type: Object, example: { service: 'orders' } }) fields!: Readonly<Record<string, Json>>;
  @ApiProperty({ type: String, nullable: true, example: null }) traceId!: string | null;
}

export class LogsBody {
  /** Newest first; fewer than `limit` also where they would be more than 1 MiB. */
  @ApiProperty({ type: [LogEventBody] }) items!: LogEventBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

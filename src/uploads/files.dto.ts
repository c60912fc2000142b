import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, Matches, Max, Min, ValidateBy } from 'class-validator';
import { FILE_SOURCES, FILE_STATUSES, type FileStatus } from '../contracts/index.js';
import { CursorParameter, LimitParameter } from '../platform/http/index.js';
import { FORMATS } from './formats/registry.js';
import { charsetNamed } from './reading/charset.js';

const FORMAT_NAMES = FORMATS.map(({ name }) => name);
const YEAR = { message: 'must be a year from 1970 to 9999' };
const OFFSET = /^(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/;

/** What may be said of a file, in the address or as fields of the body. */
export class UploadQuery {
  @ApiPropertyOptional({ enum: FORMAT_NAMES, description: 'How lines are read; left out, the first lines tell.' })
  @IsOptional()
  @IsIn(FORMAT_NAMES, { message: `must be one of ${FORMAT_NAMES.join(', ')}` })
  format?: string;

  @ApiPropertyOptional({
    description: 'Offset of times that tell none, such as +02:00; left out, UTC.',
    example: '+02:00',
  })
  @IsOptional()
  @Matches(OFFSET, { message: 'must be Z or an offset such as +02:00 (in an address, %2B02:00)' })
  timezone?: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1970,
    maximum: 9999,
    description: 'Year of the first line, where times tell none; left out, reckoned back from now.',
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt(YEAR)
  @Min(1970, YEAR)
  @Max(9999, YEAR)
  year?: number;

  @ApiPropertyOptional({
    description:
      'Of a file that is not UTF-8 and has no byte order mark: a label such as shift_jis; left out, windows-1252.',
    example: 'latin1',
  })
  @IsOptional()
  @ValidateBy(
    {
      name: 'charset',
      validator: { validate: (value) => typeof value === 'string' && charsetNamed(value) !== undefined },
    },
    { message: 'must be a charset such as utf-8, utf-16le, windows-1252, shift_jis or gbk' },
  )
  charset?: string;

  @ApiPropertyOptional({ description: 'Of trades whose lines tell none.', example: 'BTCUSDT' })
  @IsOptional()
  @Matches(/^[A-Za-z0-9._:/-]{1,40}$/, { message: 'must be a symbol such as BTCUSDT or BTC-USD' })
  symbol?: string;

  @ApiPropertyOptional({
    enum: FILE_SOURCES,
    description: 'Of trades: what they are recorded under, where the format leaves it open.',
  })
  @IsOptional()
  @IsIn(FILE_SOURCES, { message: `must be one of ${FILE_SOURCES.join(', ')}` })
  source?: string;

  @ApiPropertyOptional({ enum: ['true', 'false'], description: 'Read it although the same content came before.' })
  @IsOptional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  force?: 'true' | 'false';
}

export class FilesQuery {
  @ApiPropertyOptional({ enum: FILE_STATUSES })
  @IsOptional()
  @IsIn(FILE_STATUSES, { message: `must be one of ${FILE_STATUSES.join(', ')}` })
  status?: FileStatus;

  @LimitParameter({ most: 1000, byDefault: 100 })
  limit: number = 100;

  @CursorParameter()
  cursor?: string;
}

class FileCountsBody {
  /** As they came. */
  @ApiProperty({ type: 'integer', example: 104857 }) bytes!: number;
  /** Unpacked, read so far. */
  @ApiProperty({ type: 'integer', example: 1048576 }) readBytes!: number;
  @ApiProperty({ type: 'integer', example: 10000 }) lines!: number;
  @ApiProperty({ type: 'integer', example: 9990 }) events!: number;
  @ApiProperty({ type: 'integer', example: 0 }) trades!: number;
  /** Lines that could not be read; each is a dead letter, up to 10,000 of a file. */
  @ApiProperty({ type: 'integer', example: 3 }) bad!: number;
  /** Lines longer than 64 KiB, of which the beginning was read. */
  @ApiProperty({ type: 'integer', example: 0 }) truncated!: number;
  /** Characters that cannot be kept, and became U+FFFD. */
  @ApiProperty({ type: 'integer', example: 0 }) replaced!: number;
}

export class FileBody {
  @ApiProperty({ format: 'uuid' }) id!: string;
  /** As the client called it; a label. */
  @ApiProperty({ example: 'app.log.gz' }) name!: string;
  @ApiProperty({ enum: FILE_STATUSES }) status!: FileStatus;
  /** Declared, or found out; null until then. */
  @ApiProperty({ type: String, nullable: true, example: 'json' }) format!: string | null;
  /** Of the bytes as they came. */
  @ApiProperty({ example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' }) sha256!: string;
  /** The first file of the same content, packed or not. */
  @ApiProperty({ type: String, format: 'uuid', nullable: true }) duplicateOf!: string | null;
  @ApiProperty({ type: FileCountsBody }) counts!: FileCountsBody;
  /** How much of it is read. */
  @ApiProperty({ example: 42.5 }) percent!: number;
  /** Why it failed, or what of it was left out. */
  @ApiProperty({ type: String, nullable: true }) error!: string | null;
  @ApiProperty({ format: 'date-time' }) receivedAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) finishedAt!: string | null;
}

export class FileDetailBody extends FileBody {
  /** Of the unpacked bytes; null where they cannot be unpacked to the end. */
  @ApiProperty({ type: String, nullable: true }) unpackedSha256!: string | null;
  /** Whether the bytes are still kept: until FILES_RETENTION after the reading, or until it is deleted. */
  @ApiProperty() stored!: boolean;
}

export class FilesBody {
  /** Newest first. */
  @ApiProperty({ type: [FileBody] }) items!: FileBody[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { CursorParameter, InstantParameter, LimitParameter } from '../../http/index.js';
import { LETTER_STATES, type LetterState, type Stage, STAGES } from './dead-letter.js';
import { JOB_STATES, type JobState } from './replay-job.store.js';

const INSTANT = { type: String, format: 'date-time', example: '2026-08-09T21:05:48.167634Z' } as const;
const MAYBE_INSTANT = { ...INSTANT, nullable: true, example: null } as const;
const INTEGER = { type: 'integer' } as const;
const BY_COMMA = Transform(({ value }) => (typeof value === 'string' ? value.split(',') : value));
export const MOST_IDS = 1000;

/** Which letters; what is left out does not matter. */
export class LetterFields {
  /** A comma list; left out, all. */
  @ApiPropertyOptional({ type: String, example: 'parse,validate', description: STAGES.join(', ') })
  @IsOptional()
  @BY_COMMA
  @IsIn(STAGES, { each: true, message: `must be a list out of ${STAGES.join(', ')}` })
  stage?: Stage[];

  @ApiPropertyOptional({ example: 'validate.price' })
  @IsOptional()
  @Matches(/^[a-z]+\.[a-z0-9-]{1,60}$/, { message: 'must be the code of an error such as validate.price' })
  code?: string;

  /** A kind such as `delivery`, `feed`, `trade` or `file`, or a kind and an id. */
  @ApiPropertyOptional({ example: 'delivery:aggregation.merge-candles' })
  @IsOptional()
  @Matches(/^[a-z][a-z0-9-]{0,39}(:[^\0]{1,200})?$/, {
    message: 'must be a kind such as delivery, or kind:id such as feed:binance',
  })
  source?: string;

  @ApiPropertyOptional({ example: '5f3a9c0d12e4b678' })
  @IsOptional()
  @Matches(/^[0-9a-f]{16}$/, { message: 'must be a fingerprint as letters and groups have it' })
  fingerprint?: string;

  /** Text in the message (whatever its case) or the payload, or the whole id or position of the source. */
  @ApiPropertyOptional({ example: 'BTCUSDT' })
  @IsOptional()
  @IsString()
  @Length(1, 200, { message: 'must be a text of 1 to 200 characters' })
  @Matches(/^[^\0]*$/, { message: 'must hold no U+0000' })
  q?: string;

  @InstantParameter('First failure at or after.')
  from?: number;

  @InstantParameter('First failure before.')
  to?: number;
}

export class LetterStateFields extends LetterFields {
  /** A comma list; left out, all. */
  @ApiPropertyOptional({ type: String, example: 'dead', description: LETTER_STATES.join(', ') })
  @IsOptional()
  @BY_COMMA
  @IsIn(LETTER_STATES, { each: true, message: `must be a list out of ${LETTER_STATES.join(', ')}` })
  state?: LetterState[];
}

export class LettersQuery extends LetterStateFields {
  @LimitParameter({ most: 500, byDefault: 100 })
  limit: number = 100;

  @CursorParameter()
  cursor?: string;
}

const REASON = { message: 'must say why, in 1 to 500 characters' };

export class DiscardQuery {
  @ApiProperty({ example: 'test data' })
  @IsString(REASON)
  @Length(1, 500, REASON)
  @Matches(/^[^\0]*$/, REASON)
  reason!: string;

  /** Who discards. */
  @ApiPropertyOptional({ example: 'jo' })
  @IsOptional()
  @Matches(/^[^\0]{1,80}$/, { message: 'must be a name of 1 to 80 characters' })
  by?: string;
}

export class DiscardManyQuery extends IntersectionType(LetterFields, DiscardQuery) {}

export class DiscardedBody {
  @ApiProperty({ ...INTEGER, example: 12 }) discarded!: number;
}

export class LetterSourceBody {
  /** `delivery`, `feed`, `trade`, `file`, …: what it was, and so how it is replayed. */
  @ApiProperty({ example: 'delivery' }) kind!: string;
  /** Which consumer, feed or file. */
  @ApiProperty({ example: 'aggregation.merge-candles' }) id!: string;
  /** Where in it: of the event, or the line. */
  @ApiPropertyOptional({ example: '48123' }) position?: string;
}

export class TryBody {
  @ApiProperty(INSTANT) at!: string;
  @ApiProperty({ example: 'price "-1" is not a positive decimal' }) error!: string;
  @ApiProperty({ ...INTEGER, nullable: true, example: 12 }) durationMs!: number | null;
}

export class LetterBody {
  @ApiProperty({ example: '17' }) id!: string;
  @ApiProperty({ enum: STAGES }) stage!: Stage;
  @ApiProperty({ example: 'validate.price' }) code!: string;
  @ApiProperty({ example: 'price "-1" is not a positive decimal' }) message!: string;
  @ApiProperty({ type: LetterSourceBody }) source!: LetterSourceBody;
  /** Letters that failed alike have the same. */
  @ApiProperty({ example: '5f3a9c0d12e4b678' }) fingerprint!: string;
  /**
   * `dead`: waits for a person. `pending`: a replay job will come to it. `retrying`: its replay is under way. `replayed` and
   * `discarded`: over.
   */
  @ApiProperty({ enum: LETTER_STATES }) state!: LetterState;
  @ApiProperty({ ...INTEGER, example: 1 }) attemptCount!: number;
  /** Those that failed, the last 20, oldest first. */
  @ApiProperty({ type: [TryBody] }) attempts!: TryBody[];
  @ApiProperty({ example: 'application/json' }) contentType!: string;
  /** Of the whole, of which only the start may be kept. */
  @ApiProperty({ ...INTEGER, example: 131 }) payloadBytes!: number;
  @ApiProperty({ example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' }) payloadSha256!: string;
  @ApiProperty() truncated!: boolean;
  @ApiProperty(INSTANT) firstFailedAt!: string;
  @ApiProperty(INSTANT) lastFailedAt!: string;
  @ApiProperty(MAYBE_INSTANT) editedAt!: string | null;
  @ApiProperty(MAYBE_INSTANT) replayedAt!: string | null;
  @ApiProperty(MAYBE_INSTANT) discardedAt!: string | null;
  /** Why it was discarded, and who by. */
  @ApiProperty({ type: String, nullable: true, example: null }) reason!: string | null;
  @ApiProperty({ type: String, nullable: true, example: null }) discardedBy!: string | null;
  /** The last job that took it. */
  @ApiProperty({ type: String, nullable: true, example: null }) jobId!: string | null;
}

export class PayloadBody {
  @ApiProperty({ example: '{"symbol":"BTCUSDT","price":"-1"}' }) payload!: string;
  /** `base64` where the bytes are no UTF-8. */
  @ApiProperty({ enum: ['utf8', 'base64'] }) encoding!: 'utf8' | 'base64';
}

export class OriginalBody extends PayloadBody {
  @ApiProperty({ ...INTEGER, example: 131 }) payloadBytes!: number;
  @ApiProperty({ example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' }) payloadSha256!: string;
}

export class WholeLetterBody extends LetterBody {
  @ApiProperty({ example: '{"symbol":"BTCUSDT","price":"-1"}' }) payload!: string;
  /** `base64` where the bytes are no UTF-8. */
  @ApiProperty({ enum: ['utf8', 'base64'] }) encoding!: 'utf8' | 'base64';
  /** What came, where a person edited the payload. */
  @ApiProperty({ type: OriginalBody, nullable: true, example: null }) original!: OriginalBody | null;
}

export class LettersBody {
  /** Newest first. */
  @ApiProperty({ type: [LetterBody] }) items!: LetterBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

export class LetterGroupBody {
  @ApiProperty({ example: '5f3a9c0d12e4b678' }) fingerprint!: string;
  @ApiProperty({ ...INTEGER, example: 40 }) count!: number;
  /** Of them, that wait for a person. */
  @ApiProperty({ ...INTEGER, example: 12 }) dead!: number;
  @ApiProperty(INSTANT) firstFailedAt!: string;
  @ApiProperty(INSTANT) lastFailedAt!: string;
  /** The newest. */
  @ApiProperty({ type: LetterBody }) sample!: LetterBody;
}

export class LetterGroupsBody {
  /** The group with the newest letter first. */
  @ApiProperty({ type: [LetterGroupBody] }) items!: LetterGroupBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

export class ReplayRequest {
  /** In place of what came, which is kept as `original`. */
  @ApiPropertyOptional({ example: '{"symbol":"BTCUSDT","price":"1"}' })
  @IsOptional()
  @IsString({ message: 'must be a text' })
  payload?: string;

  @ApiPropertyOptional({ enum: ['utf8', 'base64'], default: 'utf8' })
  @IsOptional()
  @IsIn(['utf8', 'base64'], { message: 'must be utf8 or base64' })
  encoding?: 'utf8' | 'base64';
}

export class JobFilter extends LetterFields {
  @ApiPropertyOptional({ type: [String], example: ['17', '18'], maxItems: MOST_IDS })
  @IsOptional()
  @IsArray({ message: 'must be a list of ids of letters' })
  @ArrayNotEmpty({ message: 'must be a list of ids of letters' })
  @ArrayMaxSize(MOST_IDS, { message: `must hold at most ${MOST_IDS} ids` })
  @Matches(/^\d{1,18}$/, { each: true, message: 'must be a list of ids of letters' })
  ids?: string[];
}

export class JobRequest {
  /** Of the dead letters those that match; `{}` for all. */
  @ApiProperty({ type: JobFilter })
  @IsObject({ message: 'must be an object: {} for every dead letter' })
  @ValidateNested()
  @Type(() => JobFilter)
  filter!: JobFilter;

  /** Only says what would be replayed. */
  @ApiPropertyOptional({ default: false })
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  dryRun?: boolean;

  @ApiPropertyOptional({ minimum: 1, maximum: 1000, default: 50 })
  @IsOptional()
  @IsNumber({}, { message: 'must be a number from 1 to 1000' })
  @Min(1, { message: 'must be a number from 1 to 1000' })
  @Max(1000, { message: 'must be a number from 1 to 1000' })
  ratePerSecond?: number;
}

export class KindBody {
  @ApiProperty({ example: 'trade' }) kind!: string;
  @ApiProperty({ ...INTEGER, example: 12 }) count!: number;
  /** Whether this process replays such letters. */
  @ApiProperty() replayable!: boolean;
}

export class ForecastBody {
  @ApiProperty({ example: true }) dryRun!: true;
  @ApiProperty({ ...INTEGER, example: 12 }) matching!: number;
  @ApiProperty({ type: [KindBody] }) kinds!: KindBody[];
}

export class JobBody {
  @ApiProperty({ example: '3' }) id!: string;
  @ApiProperty({ enum: JOB_STATES }) state!: JobState;
  @ApiProperty({ type: Object, example: { stage: 'validate' } }) filter!: object;
  @ApiProperty({ example: 50 }) ratePerSecond!: number;
  @ApiProperty({ ...INTEGER, example: 12 }) total!: number;
  /** Not come to yet. */
  @ApiProperty({ ...INTEGER, example: 2 }) pending!: number;
  @ApiProperty({ ...INTEGER, example: 0 }) retrying!: number;
  @ApiProperty({ ...INTEGER, example: 9 }) replayed!: number;
  /** Dead again, or as before where the job was cancelled. */
  @ApiProperty({ ...INTEGER, example: 1 }) failed!: number;
  /** Discarded or deleted meanwhile, or taken by another job. */
  @ApiProperty({ ...INTEGER, example: 0 }) other!: number;
  @ApiProperty({ example: 0.8333, description: 'Share of the letters that it has come to, 0 to 1.' }) progress!: number;
  @ApiProperty(INSTANT) createdAt!: string;
  @ApiProperty(MAYBE_INSTANT) finishedAt!: string | null;
}

export class JobsQuery {
  @LimitParameter({ most: 100, byDefault: 20 })
  limit: number = 20;

  @CursorParameter()
  cursor?: string;
}

export class JobsBody {
  /** Newest first. */
  @ApiProperty({ type: [JobBody] }) items!: JobBody[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

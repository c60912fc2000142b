import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { InstantParameter } from '../../platform/http/index.js';
import { CursorQuery } from '../cursor.dto.js';
import { AlertAnswer } from '../episodes/alerts.dto.js';
import { Field } from '../field.decorator.js';
import { COMMENT, MATCHERS, PERSON, SCHEDULE, SILENCE_LENGTH } from './silence-fields.js';
import { MATCHED_FIELDS, WEEKDAYS, type Weekday } from './silence.js';

export const SILENCE_STATES = ['active', 'waiting', 'ended'] as const;
export type SilenceState = (typeof SILENCE_STATES)[number];

export class MatcherBody {
  @ApiProperty({ description: `${MATCHED_FIELDS.join(', ')}, or a label`, example: 'symbol' }) name!: string;
  @ApiProperty({ enum: ['=', '!='] }) op!: '=' | '!=';
  /** `*` at its end stands for anything. A label that an alert lacks is the empty text. */
  @ApiProperty({ maxLength: 200, example: 'BTC*' }) value!: string;
}

export class ScheduleBody {
  @ApiProperty({ description: 'IANA name', example: 'Europe/Berlin' }) zone!: string;
  /** None: every day. */
  @ApiPropertyOptional({ enum: WEEKDAYS, isArray: true, example: ['sat', 'sun'] }) days?: Weekday[];
  @ApiProperty({ example: '22:00' }) from!: string;
  /** Exclusive; at or before `from`: on the next day. */
  @ApiProperty({ example: '06:00' }) to!: string;
}

export class MatchersRequest {
  @ApiProperty({ type: [MatcherBody], minItems: 1, maxItems: 10 })
  @Field(MATCHERS, 'required')
  matchers!: MatcherBody[];
}

export class SilenceRequest extends MatchersRequest {
  @InstantParameter('Left out, now.') startsAt?: number;
  @InstantParameter('At most 366 days after the start. This or `for` must be given, not both.') endsAt?: number;
  @ApiPropertyOptional({ pattern: '^\\d{1,6}[smhd]$', example: '2h' }) @Field(SILENCE_LENGTH) for?: string;
  /** Between start and end, only within these hours. */
  @ApiPropertyOptional({ type: ScheduleBody }) @Field(SCHEDULE) schedule?: ScheduleBody;
  @ApiProperty({ maxLength: 500, example: 'Maintenance of the venue' }) @Field(COMMENT, 'required') comment!: string;
  @ApiPropertyOptional({ example: 'ada' }) @Field(PERSON) createdBy?: string;
}

export class SilencesQuery extends CursorQuery {
  /** Only those that are over, or only the others. */
  @ApiPropertyOptional({ enum: ['true', 'false'] })
  @IsOptional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  ended?: 'true' | 'false';
}

export class SilenceAnswer {
  @ApiProperty({ example: '7' }) id!: string;
  @ApiProperty({ type: [MatcherBody] }) matchers!: readonly MatcherBody[];
  @ApiProperty({ format: 'date-time' }) startsAt!: string;
  @ApiProperty({ format: 'date-time' }) endsAt!: string;
  @ApiProperty({ type: ScheduleBody, nullable: true }) schedule!: object | null;
  @ApiProperty() comment!: string;
  @ApiProperty({ type: String, nullable: true }) createdBy!: string | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  /** `active`: in force now. `waiting`: not begun, or outside its hours. */
  @ApiProperty({ enum: SILENCE_STATES }) state!: SilenceState;
}

export class SilencesAnswer {
  /** Newest first. */
  @ApiProperty({ type: [SilenceAnswer] }) items!: SilenceAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class SilencePreviewAnswer {
  /** Alerts that are not resolved and would come under it. */
  @ApiProperty({ type: 'integer' }) matches!: number;
  /** The first hundred of them. */
  @ApiProperty({ type: [AlertAnswer] }) alerts!: AlertAnswer[];
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { ALERT_REASONS, type AlertReason, SEVERITIES, type Severity } from '../../contracts/index.js';
import { InstantParameter } from '../../platform/http/index.js';
import { CursorQuery } from '../cursor.dto.js';
import { isMatch, must } from '../expectation.js';
import { Field } from '../field.decorator.js';
import { RULE_ID } from '../names.js';
import { CHANNELS, LABELS, RULE_FIELDS } from '../rules/rule-body.js';
import { COMMENT, PERSON, SILENCE_LENGTH } from '../silences/silence-fields.js';
import { ALERT_STATES, type AlertState } from './alert.js';

const SYMBOL = /^[A-Za-z0-9][\w.:-]{0,79}$/;
const MESSAGE = must(
  'must be a text of 1 to 1000 characters',
  (value) => typeof value === 'string' && value.length > 0 && value.length <= 1000,
);

/** `a,b` or repeated parameters. */
const Listed = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) =>
    value === undefined ? undefined : [value].flat().flatMap((part) => String(part).split(',')),
  );

export class AlertsQuery extends CursorQuery {
  /** A comma list; left out, all. */
  @ApiPropertyOptional({ type: String, description: ALERT_STATES.join(', '), example: 'active,silenced' })
  @Listed()
  @IsOptional()
  @IsIn(ALERT_STATES, { each: true, message: `must be a comma list out of ${ALERT_STATES.join(', ')}` })
  state?: AlertState[];

  @ApiPropertyOptional({ example: 'btc_price_high' })
  @IsOptional()
  @Matches(RULE_ID, { message: 'must be the id of a rule such as btc_price_high' })
  ruleId?: string;

  @ApiPropertyOptional({ example: 'BTCUSDT' })
  @IsOptional()
  @Matches(SYMBOL, { message: 'must be a symbol such as BTCUSDT' })
  symbol?: string;

  @ApiPropertyOptional({ example: 'binance' })
  @IsOptional()
  @Matches(/^[a-z0-9-]{1,40}$/, { message: 'must be the id of a feed such as simulator or binance' })
  source?: string;

  @ApiPropertyOptional({ type: String, description: `Comma list out of ${SEVERITIES.join(', ')}; left out, all.` })
  @Listed()
  @IsOptional()
  @IsIn(SEVERITIES, { each: true, message: `must be a comma list out of ${SEVERITIES.join(', ')}` })
  severity?: Severity[];

  @InstantParameter('First instant of the start, inclusive.') from?: number;
  @InstantParameter('Last instant of the start, exclusive.') to?: number;
}

export class AlertRequest {
  @ApiProperty({ example: 'Venue announced a halt' }) @Field(RULE_FIELDS.name, 'required') name!: string;
  @ApiPropertyOptional({ example: 'Trading stops at 14:00' }) @Field(MESSAGE) message?: string;
  @ApiPropertyOptional({ example: 'BTCUSDT' })
  @Field(must('must be a symbol such as BTCUSDT', isMatch(SYMBOL)))
  symbol?: string;
  @ApiPropertyOptional({ example: 'binance' }) @Field(RULE_FIELDS.source) source?: string;
  @ApiPropertyOptional({ enum: SEVERITIES, default: 'medium' }) @Field(RULE_FIELDS.severity) severity?: Severity;
  @ApiPropertyOptional({ example: 41200.5 }) @Field(RULE_FIELDS.threshold) value?: number;
  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @Field(LABELS)
  labels?: Record<string, string>;
  @ApiPropertyOptional({ type: [String], example: ['ops'] }) @Field(CHANNELS) channels?: string[];
}

/** What is left out stays. */
export class AlertEditRequest {
  @ApiPropertyOptional() @Field(RULE_FIELDS.enabled) acknowledged?: boolean;
  /** Who acknowledges it. */
  @ApiPropertyOptional({ example: 'ada' }) @Field(PERSON) by?: string;
  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  @Field(LABELS)
  labels?: Record<string, string>;
}

export class ByRequest {
  @ApiPropertyOptional({ example: 'ada' }) @Field(PERSON) by?: string;
}

export class SilenceAlertRequest extends ByRequest {
  @ApiPropertyOptional({ pattern: '^\\d{1,6}[smhd]$', default: '1h' }) @Field(SILENCE_LENGTH) for?: string;
  @ApiPropertyOptional({ example: 'Known, being worked on' }) @Field(COMMENT) comment?: string;
}

export class AlertAnswer {
  @ApiProperty({ example: '41' }) id!: string;
  /** Null for one that a person raised. */
  @ApiProperty({ type: String, nullable: true, example: 'btc_price_high' }) ruleId!: string | null;
  @ApiProperty({ example: 'Bitcoin above 50,000' }) name!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ enum: SEVERITIES }) severity!: Severity;
  /** Silence only hides that it is active: `phase` goes on beneath it. */
  @ApiProperty({ enum: ALERT_STATES }) state!: AlertState;
  @ApiProperty({ enum: ['firing', 'recovering', 'no-data', 'error', 'resolved'] }) phase!: string;
  @ApiProperty({ example: 'price > 50000' }) condition!: string;
  @ApiProperty({ type: Number, nullable: true, example: 50000 }) threshold!: number | null;
  /** Of the last transition that had one. */
  @ApiProperty({ type: Number, nullable: true, example: 50012.5 }) value!: number | null;
  @ApiProperty({ format: 'date-time' }) startedAt!: string;
  /** Why it began. */
  @ApiProperty({ enum: ALERT_REASONS }) reason!: AlertReason;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) resolvedAt!: string | null;
  /** Why it ended. */
  @ApiProperty({ enum: ALERT_REASONS, nullable: true }) resolution!: AlertReason | null;
  /** Once, and once more each time it had nearly recovered. */
  @ApiProperty({ type: 'integer', example: 1 }) occurrences!: number;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) labels!: Readonly<Record<string, string>>;
  @ApiProperty({ type: [String] }) channels!: readonly string[];
  /** The silence it is under. */
  @ApiProperty({ type: String, nullable: true, example: null }) silencedBy!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) acknowledgedAt!: string | null;
  @ApiProperty({ type: String, nullable: true }) acknowledgedBy!: string | null;
}

export class AlertsAnswer {
  /** Newest first. */
  @ApiProperty({ type: [AlertAnswer] }) items!: AlertAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class HistoryEntryAnswer {
  @ApiProperty({ example: 'fired' }) kind!: string;
  @ApiProperty({ format: 'date-time' }) at!: string;
  @ApiProperty({ type: Number, nullable: true }) value!: number | null;
  @ApiProperty({ type: String, nullable: true }) reason!: string | null;
  /** Who did it, or the silence it came under. */
  @ApiProperty({ type: String, nullable: true }) note!: string | null;
}

export class HistoryAnswer {
  /** Oldest first. */
  @ApiProperty({ type: [HistoryEntryAnswer] }) items!: HistoryEntryAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

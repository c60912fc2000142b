import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { SEVERITIES, type Severity } from '../../contracts/index.js';
import { CursorQuery } from '../cursor.dto.js';
import { Field } from '../field.decorator.js';
import { RULE_ID } from '../names.js';
import { MODES, NO_DATA, RULE_FIELDS, type RuleBody } from './rule-body.js';

const DURATION = { pattern: '^\\d{1,6}[smhd]$', example: '30s' } as const;

/** What is left out has the default; `PUT` replaces the whole rule. */
export class RuleRequest implements RuleBody {
  /** Left out, one is made. */
  @ApiPropertyOptional({ pattern: RULE_ID.source, example: 'btc_price_high' }) @Field(RULE_FIELDS.id) id?: string;
  /** Left out, the id. */
  @ApiPropertyOptional({ example: 'Bitcoin above 50,000' }) @Field(RULE_FIELDS.name) name?: string;
  @ApiPropertyOptional({ example: 'Tell the desk', default: '' }) @Field(RULE_FIELDS.description) description?: string;
  /** One, a list, or `*` for all; each series is watched on its own. */
  @ApiProperty({
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, maxItems: 100 }],
    example: 'BTCUSDT',
  })
  @Field(RULE_FIELDS.symbol, 'required')
  symbol!: string | string[];
  /** One feed, or `custom`; left out, every feed that has the symbol. */
  @ApiPropertyOptional({ example: 'binance' }) @Field(RULE_FIELDS.source) source?: string;
  @ApiProperty({ maxLength: 1000, example: 'price > threshold' })
  @Field(RULE_FIELDS.condition, 'required')
  condition!: string;
  /** A variable of the conditions. A condition that compares with another number is refused. */
  @ApiPropertyOptional({ example: 50000 }) @Field(RULE_FIELDS.threshold) threshold?: number;
  /** What ends it; left out, it ends when the condition is false. */
  @ApiPropertyOptional({ maxLength: 1000, example: 'price < 49500' })
  @Field(RULE_FIELDS.resolveCondition)
  resolveCondition?: string;
  @ApiPropertyOptional({ enum: SEVERITIES, default: 'medium' }) @Field(RULE_FIELDS.severity) severity?: Severity;
  @ApiPropertyOptional({ default: true }) @Field(RULE_FIELDS.enabled) enabled?: boolean;
  /** How long the condition must hold before it fires. */
  @ApiPropertyOptional({ ...DURATION, default: '0s' }) @Field(RULE_FIELDS.for) for?: string;
  /** How long it must have ended before the alert is resolved. */
  @ApiPropertyOptional({ ...DURATION, default: '0s' }) @Field(RULE_FIELDS.keepFiringFor) keepFiringFor?: string;
  /** While a value is missing or its feed is silent: all stays as it was, an alert of its own, or as if it were false. */
  @ApiPropertyOptional({ enum: NO_DATA, default: 'keep' }) @Field(RULE_FIELDS.noData) noData?: (typeof NO_DATA)[number];
  /** How long data must be missing before that counts. */
  @ApiPropertyOptional({ ...DURATION, default: '20s' }) @Field(RULE_FIELDS.noDataAfter) noDataAfter?: string;
  /** Time between two notifications of one series by one channel. */
  @ApiPropertyOptional({ ...DURATION, default: '5m' }) @Field(RULE_FIELDS.cooldown) cooldown?: string;
  /** Fires every time, only the first time, or once in a bar of the shortest interval that the condition reads. */
  @ApiPropertyOptional({ enum: MODES, default: 'every' }) @Field(RULE_FIELDS.mode) mode?: (typeof MODES)[number];
  @ApiPropertyOptional({ format: 'date-time' }) @Field(RULE_FIELDS.expiresAt) expiresAt?: string;
  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, example: { team: 'desk' } })
  @Field(RULE_FIELDS.labels)
  labels?: Record<string, string>;
  /** Names of channels. */
  @ApiPropertyOptional({ type: [String], example: ['ops'] }) @Field(RULE_FIELDS.channels) channels?: string[];
}

export class RulesQuery extends CursorQuery {
  /** Rules that watch it; those of every symbol too. */
  @ApiPropertyOptional({ example: 'BTCUSDT' })
  @IsOptional()
  @Matches(/^[\w.:-]{1,80}$/, { message: 'must be a symbol such as BTCUSDT' })
  symbol?: string;
  @ApiPropertyOptional({ enum: SEVERITIES })
  @IsOptional()
  @IsIn(SEVERITIES, { message: `must be one of ${SEVERITIES.join(', ')}` })
  severity?: Severity;
  @ApiPropertyOptional({ enum: ['true', 'false'] })
  @IsOptional()
  @IsIn(['true', 'false'], { message: 'must be true or false' })
  enabled?: 'true' | 'false';
}

export class WatchingAnswer {
  /** How many series there are that it watches. 0: it cannot fire until one of them comes. */
  @ApiProperty({ type: 'integer', example: 1 }) series!: number;
  /** The last trade or point of one of them that rules were evaluated at. */
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: '2026-08-09T21:05:48.167634Z' })
  lastValueAt!: string | null;
  /** Symbols that it names and of which nothing ever came, from its `source` where it names one. */
  @ApiProperty({ type: [String], example: [] }) unheard!: string[];
}

export class StoppedAnswer {
  @ApiProperty({ format: 'date-time' }) since!: string;
  /** Then it goes on by itself, and what was held and still fires is told. */
  @ApiProperty({ format: 'date-time' }) until!: string;
  @ApiProperty({
    example:
      'it told 17 firings, more than the settings allow (runawayMost in runawayWithinMs); what fires now is held',
  })
  why!: string;
  /** What lets it go on now. */
  @ApiProperty({ example: 'DELETE /api/v1/notifications/stopped/btc_price_high' }) resume!: string;
}

export class RuleAnswer {
  @ApiProperty({ example: 'btc_price_high' }) id!: string;
  @ApiProperty({ example: 'Bitcoin above 50,000' }) name!: string;
  @ApiProperty() description!: string;
  @ApiProperty({ oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }], example: 'BTCUSDT' })
  symbol!: string | readonly string[];
  @ApiPropertyOptional({ example: 'binance' }) source?: string;
  @ApiProperty({ example: 'price > threshold' }) condition!: string;
  @ApiPropertyOptional({ example: 50000 }) threshold?: number;
  @ApiPropertyOptional({ example: 'price < 49500' }) resolveCondition?: string;
  @ApiProperty({ enum: SEVERITIES }) severity!: Severity;
  @ApiProperty() enabled!: boolean;
  @ApiProperty(DURATION) for!: string;
  @ApiProperty(DURATION) keepFiringFor!: string;
  @ApiProperty({ enum: NO_DATA }) noData!: (typeof NO_DATA)[number];
  @ApiProperty(DURATION) noDataAfter!: string;
  @ApiProperty(DURATION) cooldown!: string;
  @ApiProperty({ enum: MODES }) mode!: (typeof MODES)[number];
  @ApiPropertyOptional({ format: 'date-time' }) expiresAt?: string;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) labels!: Readonly<Record<string, string>>;
  @ApiProperty({ type: [String] }) channels!: readonly string[];
  /** Higher with every edit, and never the same again; `ETag` says it too. */
  @ApiProperty({ type: 'integer', example: 41 }) version!: number;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ format: 'date-time' }) changedAt!: string;
  @ApiProperty({ type: WatchingAnswer }) watching!: WatchingAnswer;
  /** The runaway guard holds its firings back; null: it does not. */
  @ApiProperty({ type: StoppedAnswer, nullable: true, example: null }) stopped!: StoppedAnswer | null;
}

export class RulesAnswer {
  /** By id. */
  @ApiProperty({ type: [RuleAnswer] }) items!: RuleAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class RuleFaultAnswer {
  @ApiProperty({ example: 'condition' }) field!: string;
  @ApiProperty({ example: 'prise is no name that can be read here' }) message!: string;
  @ApiPropertyOptional({ example: 'unknown-name' }) code?: string;
  /** Where, in UTF-16 units from the start of the condition. */
  @ApiPropertyOptional({ type: 'integer', example: 0 }) start?: number;
  @ApiPropertyOptional({ type: 'integer', example: 5 }) end?: number;
}

export class RuleCheckAnswer {
  @ApiProperty() valid!: boolean;
  /** What the conditions read. */
  @ApiProperty({ type: [Object], example: [{ kind: 'variable', name: 'price' }] }) inputs!: object[];
  @ApiProperty({ type: [RuleFaultAnswer] }) errors!: RuleFaultAnswer[];
  /** With its defaults; null when it is not valid. */
  @ApiProperty({ type: RuleRequest, nullable: true }) rule!: object | null;
  @ApiProperty({ type: WatchingAnswer, nullable: true }) watching!: WatchingAnswer | null;
}

export class RuleStateAnswer {
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ enum: ['inactive', 'pending', 'firing', 'recovering', 'no-data', 'error'] }) phase!: string;
  @ApiProperty({ format: 'date-time' }) since!: string;
  /** The alert that is open. */
  @ApiProperty({ type: String, nullable: true, example: '41' }) alertId!: string | null;
  /** When time alone changes something next. */
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) due!: string | null;
}

export class RuleStatesAnswer {
  @ApiProperty({ type: [RuleStateAnswer] }) items!: RuleStateAnswer[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsObject, IsOptional, IsUrl, Matches, ValidateIf } from 'class-validator';
import { CHANNEL_TYPES, channelsUpTo, type ChannelType } from '../channels/channel.js';
import { TestAnswer } from '../channels/channels.dto.js';
import { CursorQuery } from '../cursor.dto.js';
import { must } from '../expectation.js';
import { Field } from '../field.decorator.js';
import { CHANNEL_NAME, RULE_ID } from '../names.js';
import { NOTICE_KINDS, type NoticeKind } from '../messages/notice.js';
import { NOTIFICATION_STATES, type NotificationState } from './notification.js';

const INSTANT = { type: String, format: 'date-time', nullable: true } as const;

export class NotificationsQuery extends CursorQuery {
  /** A comma list; left out, all. */
  @ApiPropertyOptional({ type: String, example: 'pending,dead', description: NOTIFICATION_STATES.join(', ') })
  @IsOptional()
  @Transform(({ value }) => (typeof value === 'string' ? value.split(',') : value))
  @IsIn(NOTIFICATION_STATES, { each: true, message: `must be a comma list out of ${NOTIFICATION_STATES.join(', ')}` })
  state?: NotificationState[];

  @ApiPropertyOptional({ example: 'ops' })
  @IsOptional()
  @Matches(CHANNEL_NAME, { message: 'must be the name of a channel such as ops' })
  channel?: string;

  @ApiPropertyOptional({ example: 'btc-price-high' })
  @IsOptional()
  @Matches(RULE_ID, { message: 'must be the id of a rule such as btc_price_high' })
  ruleId?: string;

  @ApiPropertyOptional({ example: '17' })
  @IsOptional()
  @Matches(/^\d{1,18}$/, { message: 'must be the id of an alert such as 17' })
  alertId?: string;
}

export class AttemptAnswer {
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:48.167634Z' }) at!: string;
  /** `retry`: it is tried again. `dead`: it is not. `lost`: the process ended before there was an answer. */
  @ApiProperty({ enum: ['sent', 'retry', 'dead', 'lost'] }) outcome!: string;
  @ApiProperty({ example: 'server-error' }) reason!: string;
  /** Of the answer, HTTP or SMTP; null without one. */
  @ApiProperty({ type: 'integer', nullable: true, example: 503 }) status!: number | null;
  @ApiProperty({ type: String, nullable: true, example: 'HTTP 503: overloaded' }) error!: string | null;
  @ApiProperty({ type: 'integer', example: 31 }) durationMs!: number;
  /** What it went out under: `webhook-id`, or the left part of the mail's Message-ID. */
  @ApiProperty({ format: 'uuid' }) messageId!: string;
}

export class NotificationAnswer {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: '17' }) alertId!: string;
  @ApiProperty({ type: String, nullable: true, example: 'btc-price-high' }) ruleId!: string | null;
  @ApiProperty({ enum: NOTICE_KINDS }) kind!: NoticeKind;
  @ApiProperty({ example: 'high' }) severity!: string;
  @ApiProperty({ example: 'binance' }) source!: string;
  @ApiProperty({ example: 'BTCUSDT' }) symbol!: string;
  @ApiProperty({ example: 'ops' }) channel!: string;
  /**
   * `pending`: it waits to be sent, or to be tried again. `sending`: under way. `held`: a repeat, sent later if it still fires
   * then. `sent`: the receiver took it. `superseded`: told together with the resolve. `suppressed`: over before it was to be
   * sent. `dead`: given up.
   */
  @ApiProperty({ enum: NOTIFICATION_STATES }) state!: NotificationState;
  /** Why it is held, dead, or tried again. */
  @ApiProperty({ type: String, nullable: true, example: null }) reason!: string | null;
  /** A resolve that tells its firing too, which was never delivered. */
  @ApiProperty() merged!: boolean;
  /** Firings held back before it, as it says. */
  @ApiProperty({ type: 'integer', example: 0 }) held!: number;
  @ApiProperty({ type: 'integer', example: 1 }) attempts!: number;
  /** When it is tried next; null once it is over. */
  @ApiProperty({ ...INSTANT, example: null }) nextAt!: string | null;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:47Z' }) createdAt!: string;
  @ApiProperty({ ...INSTANT, example: '2026-08-09T21:05:48Z' }) finishedAt!: string | null;
  /** The last 50, oldest first. */
  @ApiProperty({ type: [AttemptAnswer] }) history!: AttemptAnswer[];
}

export class NotificationsAnswer {
  /** Newest first. */
  @ApiProperty({ type: [NotificationAnswer] }) items!: NotificationAnswer[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

export class TestRequest {
  @ApiProperty({ enum: CHANNEL_TYPES })
  @IsIn(CHANNEL_TYPES, { message: `must be one of ${CHANNEL_TYPES.join(', ')}` })
  type!: ChannelType;

  /** Of a channel that is not stored; left out, every channel of the type is tested. */
  @ApiPropertyOptional({ type: Object })
  @ValidateIf((_, value) => value !== undefined)
  @IsObject({ message: 'must be an object' })
  config?: Record<string, unknown>;
}

export class TestsAnswer {
  @ApiProperty({ type: [TestAnswer] }) results!: TestAnswer[];
}

export class NotificationsReplayRequest {
  /** All that is dead of it. */
  @ApiProperty({ example: 'ops' })
  @Matches(CHANNEL_NAME, { message: 'must be the name of a channel such as ops' })
  channel!: string;
}

export class ReplayAnswer {
  @ApiProperty({ type: 'integer', example: 3 }) replayed!: number;
}

const Whole =
  (least: number, most: number, example: number): PropertyDecorator =>
  (target, key) => {
    ApiPropertyOptional({ type: 'integer', minimum: least, maximum: most, example })(target, key);
    const isWithin = (value: unknown): boolean =>
      Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
    Field(must(`must be a whole number from ${least} to ${most}`, isWithin))(target, key);
  };

/** What is left out stays as it is. */
export class SettingsRequest {
  /** Of rules that name no channel. */
  @ApiPropertyOptional({ type: [String], example: ['ops'] })
  @Field(channelsUpTo(20))
  defaultChannels?: string[];
  /** How long a message waits for others to go out with it. */
  @Whole(0, 60_000, 1000) groupWaitMs?: number;
  /** So many repeats of one rule within the window stop it: its firings are held back for a while. */
  @Whole(1, 100_000, 15) runawayMost?: number;
  @Whole(1000, 86_400_000, 180_000) runawayWithinMs?: number;
  @Whole(1000, 86_400_000, 1_800_000) runawayHoldMs?: number;
  /** Waits between attempts double from the first to the longest. */
  @Whole(100, 600_000, 2000) retryFirstMs?: number;
  @Whole(100, 3_600_000, 600_000) retryMostMs?: number;
  /** How long a firing is tried, and a resolve. */
  @Whole(1000, 604_800_000, 3_600_000) firingExpiresMs?: number;
  @Whole(1000, 604_800_000, 86_400_000) resolveExpiresMs?: number;
  @Whole(1, 3650, 30) keepDays?: number;

  /** Where the dashboard is seen from, for links in messages; null for none. */
  @ApiPropertyOptional({ type: String, nullable: true, example: 'https://tapeline.example.com' })
  @IsOptional()
  @IsUrl(
    {
      protocols: ['http', 'https'],
      require_protocol: true,
      require_tld: false,
      disallow_auth: true,
      allow_query_components: false,
      allow_fragments: false,
    },
    { message: 'must be an http:// or https:// URL without user, query and fragment' },
  )
  publicUrl?: string | null;
}

export class SettingsAnswer {
  @ApiProperty({ type: [String], example: ['ops'] }) defaultChannels!: readonly string[];
  @ApiProperty({ type: 'integer', example: 1000 }) groupWaitMs!: number;
  @ApiProperty({ type: 'integer', example: 15 }) runawayMost!: number;
  @ApiProperty({ type: 'integer', example: 180_000 }) runawayWithinMs!: number;
  @ApiProperty({ type: 'integer', example: 1_800_000 }) runawayHoldMs!: number;
  @ApiProperty({ type: 'integer', example: 2000 }) retryFirstMs!: number;
  @ApiProperty({ type: 'integer', example: 600_000 }) retryMostMs!: number;
  @ApiProperty({ type: 'integer', example: 3_600_000 }) firingExpiresMs!: number;
  @ApiProperty({ type: 'integer', example: 86_400_000 }) resolveExpiresMs!: number;
  @ApiProperty({ type: 'integer', example: 30 }) keepDays!: number;
  @ApiProperty({ type: String, nullable: true, example: null }) publicUrl!: string | null;
}

export class StoppedRuleAnswer {
  @ApiProperty({ example: 'btc-price-high' }) ruleId!: string;
  @ApiProperty({ format: 'date-time' }) stoppedAt!: string;
  @ApiProperty({ format: 'date-time' }) until!: string;
  /** Firings that it had told within the window. */
  @ApiProperty({ type: 'integer', example: 17 }) notices!: number;
}

export class StoppedRulesAnswer {
  /** By id; at most 1000. */
  @ApiProperty({ type: [StoppedRuleAnswer] }) items!: StoppedRuleAnswer[];
}

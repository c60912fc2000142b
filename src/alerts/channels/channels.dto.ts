import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsObject, IsOptional, Matches } from 'class-validator';
import { CursorQuery } from '../cursor.dto.js';
import { CHANNEL_NAME } from '../names.js';
import { CHANNEL_TYPES, type ChannelType } from './channel.js';
import type { TestResult } from './channels.service.js';

const NAME = { message: 'must be 1 to 40 lower-case letters, digits, - or _, the first a letter or digit' };
const ONE_OF_TYPES = { message: `must be one of ${CHANNEL_TYPES.join(', ')}` };
const CONFIG = {
  type: Object,
  description:
    'email: `to` (list), `from`, `smtpUrl`. slack: `url`. webhook: `url`, `format` (standard or alertmanager), `secret` (whsec_…), ' +
    '`previousSecret`, `bearerToken`. pagerduty: `routingKey`, `url`. All: `title`, `body` (templates with {placeholders}), `timeZone`.',
  example: { url: 'https://example.com/hook', secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
};

export class ChannelConfigRequest {
  @ApiProperty({ enum: CHANNEL_TYPES }) @IsIn(CHANNEL_TYPES, ONE_OF_TYPES) type!: ChannelType;

  @ApiProperty(CONFIG) @IsObject({ message: 'must be an object' }) config!: Record<string, unknown>;
}

export class ChannelRequest extends ChannelConfigRequest {
  @ApiProperty({ example: 'ops' }) @Matches(CHANNEL_NAME, NAME) name!: string;
}

/** Replaces a channel; its name and type stay. Secrets that are left out are kept, null takes them away. */
export class ChannelEditRequest extends ChannelConfigRequest {
  @ApiPropertyOptional({ example: 'ops' }) @IsOptional() @Matches(CHANNEL_NAME, NAME) name?: string;
}

export class ChannelsQuery extends CursorQuery {
  @ApiPropertyOptional({ enum: CHANNEL_TYPES }) @IsOptional() @IsIn(CHANNEL_TYPES, ONE_OF_TYPES) type?: ChannelType;
}

export class PreviewAnswer {
  @ApiProperty({ example: '[FIRING] high BTCUSDT BTC price high: price > threshold, 51234.5' }) title!: string;
  @ApiProperty() body!: string;
}

export class ChannelAnswer {
  @ApiProperty({ example: 'ops' }) name!: string;
  @ApiProperty({ enum: CHANNEL_TYPES }) type!: ChannelType;
  /** Without its secrets. */
  @ApiProperty({ type: Object, example: { url: 'https://example.com/hook', format: 'standard' } })
  config!: Record<string, unknown>;
  /** Secrets that are set; no answer shows them. */
  @ApiProperty({ type: [String], example: ['secret'] }) secretsSet!: string[];
  /** Higher with every edit, and never the same again; `ETag` says it too. */
  @ApiProperty({ type: 'integer', example: 41 }) version!: number;
  /** False after a fault that only a person can mend, until a message gets through again. */
  @ApiProperty() healthy!: boolean;
  @ApiProperty({ type: String, nullable: true, example: null }) unhealthyReason!: string | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null }) unhealthySince!: string | null;
  /** Nothing is sent until then: the receiver asked for it, or does not answer. */
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null }) pausedUntil!: string | null;
  /** Messages that did not go through, one after another. */
  @ApiProperty({ type: 'integer', example: 0 }) failures!: number;
  /** What a firing would look like. */
  @ApiProperty({ type: PreviewAnswer }) preview!: PreviewAnswer;
  @ApiProperty({ format: 'date-time', example: '2026-08-09T21:05:48Z' }) changedAt!: string;
}

export class ChannelsAnswer {
  /** By name. */
  @ApiProperty({ type: [ChannelAnswer] }) items!: ChannelAnswer[];
  @ApiProperty({ type: String, nullable: true, example: null }) nextCursor!: string | null;
}

export class TestAnswer {
  /** Null for a config that is not stored. */
  @ApiProperty({ type: String, nullable: true, example: 'ops' }) channel!: string | null;
  /** The receiver took it. */
  @ApiProperty() ok!: boolean;
  /** `ok`, or why not: `timeout`, `network`, `rate-limited`, `server-error`, `client-error`, `unauthorized`, `gone`, `redirect`, `blocked`, `unconfigured` or `unexpected`. */
  @ApiProperty({ example: 'ok' }) reason!: string;
  /** Of the answer, HTTP or SMTP. */
  @ApiProperty({ type: 'integer', nullable: true, example: 200 }) status!: number | null;
  /** What it said, shortened. */
  @ApiProperty({ type: String, nullable: true, example: null }) error!: string | null;
  @ApiProperty({ type: 'integer', example: 84 }) durationMs!: number;
}

export const testAnswerOf = ({ channel, result, reason, status, error, durationMs }: TestResult): TestAnswer => ({
  channel,
  ok: result === 'sent',
  reason,
  status: status ?? null,
  error: error ?? null,
  durationMs,
});

import { type Expectation, isMatch, shown, twice } from '../expectation.js';
import { CHANNEL_NAME } from '../names.js';
import type { TextStyle } from '../messages/texts.js';

export const CHANNEL_TYPES = ['email', 'slack', 'webhook', 'pagerduty'] as const;
export type ChannelType = (typeof CHANNEL_TYPES)[number];

type Texts = Readonly<{
  /** Templates; left out, the default texts. */
  title?: string;
  body?: string;
  /** IANA; of instants in texts. */
  timeZone?: string;
}>;

export type EmailConfig = Texts & Readonly<{ to: readonly string[]; from?: string; smtpUrl?: string }>;
export type SlackConfig = Texts & Readonly<{ url: string }>;
export type WebhookConfig = Texts &
  Readonly<{
    url: string;
    format: 'standard' | 'alertmanager';
    /** `whsec_…`; signs every message, beside it `previousSecret` while receivers change over. */
    secret?: string;
    previousSecret?: string;
    /** Sent as `Authorization: Bearer …`. */
    bearerToken?: string;
  }>;
export type PagerDutyConfig = Texts & Readonly<{ routingKey: string; url?: string }>;

export type ChannelTarget =
  | Readonly<{ type: 'email'; config: EmailConfig }>
  | Readonly<{ type: 'slack'; config: SlackConfig }>
  | Readonly<{ type: 'webhook'; config: WebhookConfig }>
  | Readonly<{ type: 'pagerduty'; config: PagerDutyConfig }>;

export type Channel = Readonly<{ name: string }> & ChannelTarget;

export type StoredChannel = Channel &
  Readonly<{
    /** Another one with every edit; the ETag. */
    version: number;
    isHealthy: boolean;
    unhealthyReason: string | null;
    unhealthySinceUs: number | null;
    pausedUntilUs: number | null;
    /** Messages that did not go through, one after another. */
    failures: number;
    changedAtUs: number;
  }>;

/** Goes on after the name of the field that has these names. */
export const unknownChannelsText = (names: readonly string[]): string =>
  `names ${names.join(', ')}, which is no channel; GET /api/v1/channels lists them`;

/** A list of names that channels can have, each once. */
export const channelsUpTo =
  (most: number): Expectation =>
  (value) => {
    if (!Array.isArray(value)) return `must be a list of names of channels such as ["ops"], not ${shown(value)}`;
    if (value.length > most) return `must be at most ${most} names, not ${value.length}`;
    const wrong: unknown = value.find((one) => !isMatch(CHANNEL_NAME)(one));
    if (wrong !== undefined) return `names ${shown(wrong)}, which no channel can be called`;
    return twice(value) === undefined ? undefined : `names ${shown(twice(value))} twice`;
  };

export const styleOf = (channel: Channel, publicUrl: string | undefined): TextStyle => ({
  channel: channel.name,
  title: channel.config.title,
  body: channel.config.body,
  timeZone: channel.config.timeZone,
  publicUrl,
});

/** The addresses a channel sends to, as URLs; none for mail by the operator's own server. */
export function targetsOf(target: ChannelTarget): readonly (readonly [field: string, url: string])[] {
  switch (target.type) {
    case 'email':
      return target.config.smtpUrl === undefined ? [] : [['smtpUrl', target.config.smtpUrl]];
    case 'pagerduty':
      return target.config.url === undefined ? [] : [['url', target.config.url]];
    default:
      return [['url', target.config.url]];
  }
}

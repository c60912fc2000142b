import { Injectable } from '@nestjs/common';
import type { Item, Message } from '../messages/notice.js';
import { type Answer, answerOfSlack } from './answer.js';
import { type Channel, type ChannelType, type PagerDutyConfig, styleOf, type WebhookConfig } from './channel.js';
import { withoutSecrets } from './channel-config.js';
import { ALERTMANAGER_MOST_ITEMS, alertmanagerBody } from './formats/alertmanager.js';
import { MAIL_MOST_ITEMS, mailOf } from './formats/mail.js';
import { PAGERDUTY_URL, pagerDutyEvents } from './formats/pagerduty.js';
import { SLACK_MOST_ITEMS, slackBody } from './formats/slack.js';
import { WEBHOOK_MOST_ITEMS, webhookBody } from './formats/webhook.js';
import { HttpPost } from './http-post.service.js';
import { Mailer } from './mailer.service.js';
import { signatureHeaders } from './webhook-signature.service.js';

/** Slack takes about one message a second from each webhook. */
const PACE_MS: Readonly<Record<ChannelType, number>> = { email: 0, slack: 1000, webhook: 0, pagerduty: 0 };

/** Notices that one message to a channel may hold. */
export function mostItems({ type, config }: Channel): number {
  if (type === 'email') return MAIL_MOST_ITEMS;
  if (type === 'slack') return SLACK_MOST_ITEMS;
  if (type === 'pagerduty') return 1;
  return config.format === 'alertmanager' ? ALERTMANAGER_MOST_ITEMS : WEBHOOK_MOST_ITEMS;
}

/** How long a channel rests between two messages. */
export const paceMs = ({ type }: Channel): number => PACE_MS[type];

/** The one way out: tests and deliveries take it alike. */
@Injectable()
export class ChannelSender {
  constructor(
    private readonly http: HttpPost,
    private readonly mailer: Mailer,
  ) {}

  /** Never throws. Sent again, a message carries the same id. */
  async send(channel: Channel, message: Message, publicUrl: string | undefined): Promise<Answer> {
    const answer = await this.sendAsItIs(channel, message, publicUrl);
    return answer.error === undefined ? answer : { ...answer, error: withoutSecrets(answer.error, channel) };
  }

  private async sendAsItIs(channel: Channel, message: Message, publicUrl: string | undefined): Promise<Answer> {
    const style = styleOf(channel, publicUrl);
    switch (channel.type) {
      case 'email':
        return this.mailer.send(channel.config, mailOf(message, style));
      case 'slack': {
        const { answer, text } = await this.http.post({
          url: channel.config.url,
          body: JSON.stringify(slackBody(message, style)),
        });
        return answerOfSlack(answer, text);
      }
      case 'webhook': {
        const { format, url } = channel.config;
        const body = JSON.stringify(
          format === 'alertmanager' ? alertmanagerBody(message, style) : webhookBody(message, style),
        );
        return (await this.http.post({ url, body, headers: headersOf(channel.config, message.id, body) })).answer;
      }
      case 'pagerduty':
        return this.page(channel.config, message.items, style);
    }
  }

  /** Each event on its own; the first that does not go through is the answer. */
  private async page(
    { url = PAGERDUTY_URL, routingKey }: PagerDutyConfig,
    items: readonly [Item, ...Item[]],
    style: ReturnType<typeof styleOf>,
  ): Promise<Answer> {
    let answer: Answer = { result: 'sent', reason: 'ok' };
    for (const event of items.flatMap((item) => pagerDutyEvents(item, routingKey, style))) {
      answer = (await this.http.post({ url, body: JSON.stringify(event) })).answer;
      if (answer.result !== 'sent') break;
    }
    return answer;
  }
}

function headersOf(config: WebhookConfig, id: string, body: string): Record<string, string> {
  const secrets = [config.secret, config.previousSecret].filter((one) => one !== undefined);
  return {
    ...signatureHeaders({ id, body, atMs: Date.now(), secrets }),
    ...(config.bearerToken !== undefined && { authorization: `Bearer ${config.bearerToken}` }),
  };
}

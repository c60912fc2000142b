import { formatInstant } from '../../../contracts/index.js';
import { type Item, type Message, statusOf } from '../../messages/notice.js';
import { linkOf, type TextStyle, textOf } from '../../messages/texts.js';

/** Keeps a body below 20 kB, which is what Standard Webhooks asks for. */
export const WEBHOOK_MOST_ITEMS = 20;

/**
 * Body of the generic webhook, after Standard Webhooks 1.0.0: `alert.firing`, `alert.no-data`, `alert.resolved`,
 * `alert.fired-and-resolved`, or `alert.group` for several. The alerts are always a list.
 */
export function webhookBody(message: Message, style: TextStyle): object {
  const [first, ...more] = message.items;
  return {
    type: more.length > 0 ? 'alert.group' : `alert.${statusOf(first)}`,
    timestamp: formatInstant(Math.max(...message.items.map(({ atUs }) => atUs))),
    data: { channel: style.channel, alerts: message.items.map((item) => alertOf(item, style)) },
  };
}

function alertOf(item: Item, style: TextStyle): object {
  const { title, body } = textOf(item, style);
  return {
    id: item.alertId,
    notificationId: item.notificationId,
    status: statusOf(item),
    ruleId: item.ruleId,
    rule: item.ruleName,
    severity: item.severity,
    source: item.source,
    symbol: item.symbol,
    condition: item.condition,
    value: item.value,
    ...(item.threshold !== undefined && { threshold: item.threshold }),
    startedAt: formatInstant(item.startedAtUs),
    resolvedAt: item.kind === 'resolved' ? formatInstant(item.atUs) : null,
    ...(item.reason !== undefined && { reason: item.reason }),
    labels: item.labels,
    held: item.held,
    ...(item.stoppedUntilUs !== undefined && { stoppedUntil: formatInstant(item.stoppedUntilUs) }),
    link: linkOf(item, style.publicUrl) ?? null,
    title,
    ...(style.body !== undefined && { text: body }),
  };
}

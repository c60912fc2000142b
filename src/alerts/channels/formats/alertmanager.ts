import { formatInstant } from '../../../contracts/index.js';
import type { Item, Message } from '../../messages/notice.js';
import { linkOf, type TextStyle, textOf } from '../../messages/texts.js';

export const ALERTMANAGER_MOST_ITEMS = 100;
/** What Alertmanager writes while an alert has no end. */
const NO_END = '0001-01-01T00:00:00Z';

type Texts = Readonly<Record<string, string>>;

/**
 * Alertmanager's webhook body, version 4, so that what takes that takes us. Source: reference/alerts.md §5
 * (docs/configuration.md of 0.34 and template/template.go).
 */
export function alertmanagerBody(message: Message, style: TextStyle): object {
  const alerts = message.items.map((item) => alertOf(item, style));
  return {
    version: '4',
    groupKey: `{}:{channel="${style.channel}"}`,
    truncatedAlerts: 0,
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver: style.channel,
    groupLabels: {},
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    routeLabels: {},
    externalURL: style.publicUrl ?? '',
    notification_reason: '',
    alerts,
  };
}

function alertOf(item: Item, style: TextStyle) {
  const { title, body } = textOf(item, style);
  return {
    status: item.kind === 'resolved' ? 'resolved' : 'firing',
    labels: {
      ...item.labels,
      alertname: item.ruleName,
      severity: item.severity,
      ...(item.ruleId !== null && { rule_id: item.ruleId }),
      ...(item.symbol !== '' && { symbol: item.symbol }),
      ...(item.source !== '' && { source: item.source }),
    } as Texts,
    annotations: {
      summary: title,
      description: body,
      condition: item.condition,
      ...(item.value !== null && { value: String(item.value) }),
      ...(item.kind === 'no-data' ? { reason: 'no-data' } : item.reason !== undefined && { reason: item.reason }),
      alert_id: item.alertId,
    } as Texts,
    startsAt: formatInstant(item.startedAtUs),
    endsAt: item.kind === 'resolved' ? formatInstant(item.atUs) : NO_END,
    generatorURL: linkOf(item, style.publicUrl) ?? '',
    fingerprint: item.thread.replaceAll('-', '').slice(0, 16),
  };
}

/** What all of them have, with the same text. */
function common([first, ...more]: readonly Texts[]): Texts {
  return Object.fromEntries(
    Object.entries(first ?? {}).filter(([name, text]) => more.every((one) => one[name] === text)),
  );
}

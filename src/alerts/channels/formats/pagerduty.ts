import { formatInstant, type Severity } from '../../../contracts/index.js';
import type { Item } from '../../notifications/notice.js';
import { heldText, linkOf, stopText, type TextStyle, textOf } from '../../notifications/texts.js';

export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';
const MOST_SUMMARY = 1024;

const SEVERITIES: Readonly<Record<Severity, string>> = {
  critical: 'critical',
  high: 'error',
  medium: 'warning',
  low: 'info',
};

/** Events API v2. Source: reference/alerts.md §5 (PagerDuty/api-schema, events-v2). */
export type PagerDutyEvent = Readonly<Record<string, unknown>>;

/**
 * One event, or two for an alert that was over before anybody heard of it: it is put on record, at the lowest severity.
 * A firing and its resolve share their `dedup_key`, so what is sent again opens nothing new.
 */
export function pagerDutyEvents(item: Item, routingKey: string, style: TextStyle): PagerDutyEvent[] {
  const key = { routing_key: routingKey, dedup_key: item.thread };
  if (item.kind !== 'resolved') return [trigger(item, key, style)];
  return [...(item.isMerged ? [trigger(item, key, style)] : []), { ...key, event_action: 'resolve' }];
}

function trigger(item: Item, key: object, style: TextStyle): PagerDutyEvent {
  const { title, body } = textOf(item, style);
  const link = linkOf(item, style.publicUrl);
  const notes = [heldText(item), stopText(item, style.timeZone)].filter((one) => one !== '');
  return {
    ...key,
    event_action: 'trigger',
    client: 'Tapeline',
    ...(link !== undefined && { client_url: link, links: [{ href: link, text: 'Open in Tapeline' }] }),
    payload: {
      summary: title.slice(0, MOST_SUMMARY),
      source: [item.source, item.symbol].filter((one) => one !== '').join(' ') || 'tapeline',
      severity: item.isMerged ? 'info' : SEVERITIES[item.severity],
      timestamp: formatInstant(item.startedAtUs),
      component: item.symbol || undefined,
      class: item.ruleId ?? undefined,
      custom_details: {
        alertId: item.alertId,
        rule: item.ruleName,
        condition: item.condition,
        value: item.value,
        threshold: item.threshold,
        reason: item.reason,
        labels: item.labels,
        ...(style.body !== undefined && { text: body }),
        ...(notes.length > 0 && { notes }),
      },
    },
  };
}

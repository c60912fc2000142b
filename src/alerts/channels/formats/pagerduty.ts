import { formatInstant, type Severity } from '../../../contracts/index.js';
import type { Item } from '../../messages/notice.js';
import { heldText, linkOf, stopText, type TextStyle, textOf } from '../../messages/texts.js';

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
 * One event, or two where nothing is to stay open: a test, and an alert that was over before anybody heard of it, are put on
 * record at the lowest severity. So is what a resolve alone cannot say: that its rule is stopped. A firing and its resolve
 * share their `dedup_key`, so what is sent again opens nothing new.
 */
export function pagerDutyEvents(item: Item, routingKey: string, style: TextStyle): PagerDutyEvent[] {
  const key = { routing_key: routingKey, dedup_key: item.thread };
  const resolve = { ...key, event_action: 'resolve' };
  if (item.isTest || item.isMerged || (item.kind === 'resolved' && item.stoppedUntilUs !== undefined))
    return [trigger(item, 'info', key, style), resolve];
  return [item.kind === 'resolved' ? resolve : trigger(item, SEVERITIES[item.severity], key, style)];
}

function trigger(item: Item, severity: string, key: object, style: TextStyle): PagerDutyEvent {
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
      severity,
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

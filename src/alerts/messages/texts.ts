import { formatInstant } from '../../contracts/index.js';
import { type Item, type Message, type Status, statusOf } from './notice.js';
import { compileTemplate, type TemplateValues } from './template.js';

/** How a channel wants its texts. */
export type TextStyle = Readonly<{
  channel: string;
  title?: string | undefined;
  body?: string | undefined;
  /** IANA; instants are in UTC without one. */
  timeZone?: string | undefined;
  /** Where the dashboard of this process is seen from, without a slash at the end. */
  publicUrl?: string | undefined;
}>;

export type Text = Readonly<{ title: string; body: string }>;

const WORDS: Readonly<Record<Status, string>> = {
  firing: 'FIRING',
  'no-data': 'NO DATA',
  resolved: 'RESOLVED',
  'fired-and-resolved': 'FIRED AND RESOLVED',
  test: 'TEST',
};
const MOST_LINE = 500;

export const wordOf = (item: Item): string => WORDS[statusOf(item)];

/**
 * What one notice says: by the channel's templates; where they fail, the default text and why. That a rule is stopped is said
 * whatever they say.
 */
export function textOf(item: Item, style: TextStyle, escape?: (value: string) => string): Text {
  const fill = escape ?? ((value: string): string => value);
  const standard = { title: fill(titleOf(item)), body: fill(bodyOf(item, style)) };
  if (style.title === undefined && style.body === undefined) return standard;
  try {
    const values = valuesOf(item, style);
    const title = style.title === undefined ? '' : compileTemplate(style.title).render(values, escape);
    const body = style.body === undefined ? '' : compileTemplate(style.body).render(values, escape);
    const stop = fill(stopText(item, style.timeZone));
    return {
      title: title.trim() === '' ? standard.title : title,
      body: style.body === undefined ? standard.body : stop === '' ? body : `${body}\n${stop}`,
    };
  } catch (error) {
    return {
      ...standard,
      body: `${standard.body}\n${fill(`The template of this channel failed: ${(error as Error).message}`)}`,
    };
  }
}

/** The one line over a whole message. */
export function messageTitle({ items }: Message, style: TextStyle): string {
  if (items.length === 1) return textOf(items[0], style).title;
  const counts = [...Map.groupBy(items, wordOf)].map(([word, those]) => `${those.length} ${word.toLowerCase()}`);
  return `[${items.length} ALERTS] ${counts.join(', ')}`;
}

export function titleOf(item: Item): string {
  const market = item.symbol === '' ? '' : ` ${item.symbol}`;
  return line(`[${wordOf(item)}] ${item.severity}${market} ${item.ruleName}${comparison(item)}`);
}

export function linkOf(item: Item, publicUrl: string | undefined): string | undefined {
  return publicUrl === undefined ? undefined : `${publicUrl}/dashboard?alert=${encodeURIComponent(item.alertId)}`;
}

/** `price > 50000` reads as `price > 50000, 51234.5`. */
function comparison({ condition, value }: Item): string {
  const told = [condition, value === null ? '' : String(value)].filter((part) => part !== '');
  return told.length === 0 ? '' : `: ${told.join(', ')}`;
}

export function bodyOf(item: Item, style: TextStyle): string {
  const { ruleName, ruleId, symbol, source, severity, condition, value, startedAtUs, atUs } = item;
  const labels = Object.entries(item.labels).map(([name, text]) => `${name}=${text}`);
  const link = linkOf(item, style.publicUrl);
  const isOver = item.kind === 'resolved';
  return [
    `Rule: ${ruleName}${ruleId === null ? ' (raised by a person)' : ` (${ruleId})`}`,
    symbol === '' ? '' : `Symbol: ${symbol}${source === '' ? '' : ` (${source})`}`,
    `Severity: ${severity}`,
    condition === '' ? '' : `Condition: ${condition}`,
    value === null ? '' : `Value: ${value}`,
    `${isOver ? 'Fired' : 'Since'}: ${instantText(startedAtUs, style.timeZone)}`,
    isOver ? `Resolved: ${instantText(atUs, style.timeZone)}, after ${spanText(atUs - startedAtUs)}` : '',
    item.reason === undefined || item.reason === 'condition' ? '' : `Reason: ${item.reason}`,
    labels.length === 0 ? '' : `Labels: ${labels.join(', ')}`,
    heldText(item),
    stopText(item, style.timeZone),
    link ?? '',
  ]
    .filter((text) => text !== '')
    .map(line)
    .join('\n');
}

export const heldText = ({ held }: Item): string =>
  held === 0 ? '' : `${held} more ${held === 1 ? 'firing was' : 'firings were'} held back since the last one was told.`;

export const stopText = ({ stoppedUntilUs }: Item, timeZone?: string): string =>
  stoppedUntilUs === undefined
    ? ''
    : `This rule notified too often: what it fires is held back until ${instantText(stoppedUntilUs, timeZone)}.`;

export function valuesOf(item: Item, style: TextStyle): TemplateValues {
  return {
    alertId: item.alertId,
    at: instantText(item.atUs, style.timeZone),
    channel: style.channel,
    condition: item.condition,
    duration: spanText(item.atUs - item.startedAtUs),
    held: String(item.held),
    link: linkOf(item, style.publicUrl) ?? '',
    reason: item.reason ?? '',
    rule: item.ruleName,
    ruleId: item.ruleId ?? '',
    severity: item.severity,
    source: item.source,
    startedAt: instantText(item.startedAtUs, style.timeZone),
    status: wordOf(item),
    symbol: item.symbol,
    threshold: item.threshold === undefined ? '' : String(item.threshold),
    value: item.value === null ? '' : String(item.value),
    labels: item.labels,
  };
}

/** RFC 3339 in UTC, to the second; in a zone `2026-03-01 14:00:00 GMT+1`. */
export function instantText(us: number, timeZone: string | undefined): string {
  const wholeUs = Math.floor(us / 1e6) * 1e6;
  if (timeZone === undefined) return formatInstant(wholeUs);
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  }).formatToParts(new Date(wholeUs / 1000));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`;
}

/** `5m 3s`, its two largest units. */
export function spanText(us: number): string {
  const seconds = Math.max(0, Math.round(us / 1e6));
  const units: readonly (readonly [string, number])[] = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ];
  const at = units.findIndex(([, size]) => seconds >= size);
  if (at < 0) return '0s';
  const [[unit, size], next] = [units[at]!, units[at + 1]];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return `${Math.floor(seconds / size)}${unit}${rest > 0 ? ` ${rest}${next![0]}` : ''}`;
}

/** Without line breaks, and of a length that every channel takes. */
const line = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, MOST_LINE);

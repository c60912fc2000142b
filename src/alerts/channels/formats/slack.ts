import type { Item, Message } from '../../messages/notice.js';
import {
  heldText,
  instantText,
  linkOf,
  messageTitle,
  stopText,
  type TextStyle,
  textOf,
  titleOf,
  wordOf,
} from '../../messages/texts.js';

const MOST_HEADER = 150;
const MOST_SECTION = 3000;
const MOST_FIELD = 2000;

/** A message takes 50 blocks; each alert of a group is one, beside the header. */
export const SLACK_MOST_ITEMS = 40;

type Block = Readonly<Record<string, unknown>>;

/**
 * Incoming webhook with blocks; `text` is what a push notification shows. Values are escaped, or `<!channel>` in a label
 * would ping everyone. Source: reference/alerts.md §5 (50 blocks, section 3,000, header 150, field 2,000 characters).
 */
export function slackBody(message: Message, style: TextStyle): Readonly<{ text: string; blocks: readonly Block[] }> {
  const title = messageTitle(message, style);
  const [first, ...more] = message.items;
  const blocks = more.length > 0 ? message.items.map((item) => section(listed(item, style))) : blocksOf(first, style);
  return { text: cut(escapeSlack(title), MOST_SECTION), blocks: [header(title), ...blocks] };
}

const escapeSlack = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function blocksOf(item: Item, style: TextStyle): Block[] {
  const link = linkOf(item, style.publicUrl);
  const stop = style.body === undefined ? stopText(item, style.timeZone) : ''; // else its text says so
  const notes = [`alert ${item.alertId}`, heldText(item), stop].filter((one) => one !== '');
  return [
    style.body === undefined
      ? { type: 'section', fields: fieldsOf(item, style) }
      : section(textOf(item, style, escapeSlack).body),
    { type: 'context', elements: [markdown(escapeSlack(notes.join(' | ')), MOST_FIELD)] },
    ...(link === undefined
      ? []
      : [{ type: 'actions', elements: [{ type: 'button', text: { type: 'plain_text', text: 'Open' }, url: link }] }]),
  ];
}

function fieldsOf(item: Item, style: TextStyle): Block[] {
  const labels = Object.entries(item.labels).map(([name, text]) => `${name}=${text}`);
  const fields: readonly (readonly [string, string])[] = [
    ['Rule', escapeSlack(item.ruleId ?? item.ruleName)],
    ['Severity', item.severity],
    ['Symbol', escapeSlack([item.symbol, item.source && `(${item.source})`].filter(Boolean).join(' '))],
    ['Condition', item.condition === '' ? '' : `\`${escapeSlack(item.condition).replaceAll('`', "'")}\``],
    ['Value', item.value === null ? '' : String(item.value)],
    ['Since', dateOf(item.startedAtUs, style)],
    ['Resolved', item.kind === 'resolved' ? dateOf(item.atUs, style) : ''],
    ['Reason', item.reason === 'condition' ? '' : escapeSlack(item.reason ?? '')],
    ['Labels', escapeSlack(labels.join(', '))],
  ];
  return fields.filter(([, text]) => text !== '').map(([name, text]) => markdown(`*${name}*\n${text}`, MOST_FIELD));
}

/** One alert of several. */
function listed(item: Item, style: TextStyle): string {
  if (style.title !== undefined || style.body !== undefined) {
    const { title, body } = textOf(item, style, escapeSlack);
    return `*${title}*\n${body}`;
  }
  const notes = [heldText(item), stopText(item, style.timeZone)].filter((one) => one !== '').map(escapeSlack);
  const title = escapeSlack(titleOf(item).slice(wordOf(item).length + 3));
  return [`*${wordOf(item)}* ${title} since ${dateOf(item.startedAtUs, style)}`, ...notes].join('\n');
}

/** Slack shows it in the reader's own zone; who cannot, the text behind. */
const dateOf = (us: number, { timeZone }: TextStyle): string =>
  `<!date^${Math.floor(us / 1e6)}^{date_num} {time_secs}|${escapeSlack(instantText(us, timeZone))}>`;

const header = (text: string): Block => ({
  type: 'header',
  text: { type: 'plain_text', text: cut(text, MOST_HEADER) },
});
const section = (text: string): Block => ({ type: 'section', text: markdown(text, MOST_SECTION) });
/** Verbatim, or Slack would make links of what looks like an address or a name in a label. */
const markdown = (text: string, most: number): Block => ({ type: 'mrkdwn', text: cut(text, most), verbatim: true });

/** Cuts no escape and no surrogate pair in two. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most - 1).replace(/(&[a-z]{0,3}|[\uD800-\uDBFF]|<[^>]*)$/u, '')}…`;
}

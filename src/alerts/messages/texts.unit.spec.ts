import { describe, expect, it } from 'vitest';
import { alertmanagerBody } from '../channels/formats/alertmanager.js';
import { mailOf } from '../channels/formats/mail.js';
import { pagerDutyEvents } from '../channels/formats/pagerduty.js';
import { slackBody, SLACK_MOST_ITEMS } from '../channels/formats/slack.js';
import { webhookBody, WEBHOOK_MOST_ITEMS } from '../channels/formats/webhook.js';
import type { Item, Message } from './notice.js';
import { instantText, spanText, textOf } from './texts.js';

const AT = Date.UTC(2026, 2, 1, 12, 30, 15) * 1000;
const item = (changes: Partial<Item> = {}): Item => ({
  alertId: '17',
  ruleId: 'btc-price-high',
  ruleName: 'BTC price high',
  kind: 'fired',
  severity: 'high',
  source: 'binance',
  symbol: 'BTCUSDT',
  condition: 'price > threshold',
  threshold: 50_000,
  value: 51_234.5,
  atUs: AT,
  startedAtUs: AT,
  reason: 'condition',
  labels: { team: 'ops' },
  cooldownUs: 0,
  notificationId: '6f2d1a52-3d3c-4d4b-9c1a-1b2c3d4e5f60',
  thread: '6f2d1a52-3d3c-4d4b-9c1a-1b2c3d4e5f60',
  isMerged: false,
  held: 0,
  ...changes,
});
const message = (...items: [Item, ...Item[]]): Message => ({ id: items[0].notificationId, items });
const over = { kind: 'resolved', atUs: AT + 303_000_000, value: 49_000 } as const;

describe('a text', () => {
  it('says by default what happened, where and since when', () => {
    const { title, body } = textOf(item(), { channel: 'ops' });
    expect(title).toBe('[FIRING] high BTCUSDT BTC price high: price > threshold, 51234.5');
    expect(body.split('\n')).toEqual([
      'Rule: BTC price high (btc-price-high)',
      'Symbol: BTCUSDT (binance)',
      'Severity: high',
      'Condition: price > threshold',
      'Value: 51234.5',
      'Since: 2026-03-01T12:30:15Z',
      'Labels: team=ops',
    ]);
  });

  it('says what was held back, why it ended, and where to look', () => {
    const { title, body } = textOf(item({ ...over, isMerged: true, reason: 'edited', held: 2, stoppedUntilUs: AT }), {
      channel: 'ops',
      timeZone: 'Europe/Berlin',
      publicUrl: 'https://tape.example.com',
    });
    expect(title).toMatch(/^\[FIRED AND RESOLVED\] high BTCUSDT/);
    expect(body).toContain(
      'Fired: 2026-03-01 13:30:15 CET\nResolved: 2026-03-01 13:35:18 CET, after 5m 3s\nReason: edited',
    );
    expect(body).toContain('2 more firings were held back since the last one was told.');
    expect(body).toContain('This rule notified too often: what it fires is held back until 2026-03-01 13:30:15 CET.');
    expect(body).toContain('https://tape.example.com/dashboard?alert=17');
  });

  it('is the default one and the error when a template stored earlier is none any more', () => {
    const { title, body } = textOf(item(), { channel: 'ops', body: 'gone: {colour}' });
    expect(title).toMatch(/^\[FIRING\]/);
    expect(body).toMatch(/^Rule: BTC price high[^]*The template of this channel failed: names \{colour\}/);
  });

  it('says that a rule is stopped whatever the template says', () => {
    const style = { channel: 'ops', body: 'just {rule}' };
    const stopped = item({ stoppedUntilUs: AT });
    const said = 'This rule notified too often: what it fires is held back until 2026-03-01T12:30:15Z.';
    expect(textOf(item(), style).body).toBe('just BTC price high');
    expect(textOf(stopped, style).body).toBe(`just BTC price high\n${said}`);
    for (const one of [message(stopped), message(stopped, item())])
      expect(JSON.stringify(slackBody(one, style).blocks).split('too often')).toHaveLength(2);
  });

  it('of a test is titled so', () => {
    expect(textOf(item({ isTest: true }), { channel: 'ops' }).title).toMatch(/^\[TEST\] high BTCUSDT/);
  });

  it('follows daylight saving in its zone', () => {
    const summer = Date.UTC(2026, 6, 1, 12) * 1000;
    expect(instantText(AT, 'America/New_York')).toBe('2026-03-01 07:30:15 GMT-5');
    expect(instantText(summer, 'America/New_York')).toBe('2026-07-01 08:00:00 GMT-4');
    expect(instantText(summer + 123_456, undefined)).toBe('2026-07-01T12:00:00Z');
  });

  it.each([
    [0, '0s'],
    [59e6, '59s'],
    [60e6, '1m'],
    [3_600e6, '1h'],
    [90_061e6, '1d 1h'],
    [-5e6, '0s'],
  ])('writes %d µs as %s', (us, text) => expect(spanText(us)).toBe(text));
});

describe('a message', () => {
  const nasty = item({
    ruleName: `<!everyone> & ${'x'.repeat(5000)}\u2028\r\nBcc: a@b`,
    labels: Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`label${at}`, '<&>'.repeat(60)])),
    condition: 'price > 1 `<!here>`',
  });

  it('to Slack stays within its limits and pings nobody, whatever it holds', () => {
    for (const style of [
      { channel: 'ops' },
      { channel: 'ops', title: '{rule}', body: '{rule} {condition} {labels.label1}'.repeat(40) },
    ]) {
      for (const one of [
        message(nasty),
        message(nasty, ...Array.from({ length: SLACK_MOST_ITEMS - 1 }, () => nasty)),
      ]) {
        const { text, blocks } = slackBody(one, style);
        const told = JSON.stringify({ text, blocks: blocks.slice(1) });
        expect(told.split('"type":"mrkdwn"').length).toBe(told.split('"verbatim":true').length);
        expect(told).not.toMatch(/<!(everyone|here|channel)/);
        expect(blocks.length).toBeLessThanOrEqual(50);
        for (const block of blocks as { text?: { text: string }; fields?: { text: string }[] }[]) {
          expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(block === blocks[0] ? 150 : 3000);
          expect(block.fields?.length ?? 0).toBeLessThanOrEqual(10);
          for (const field of block.fields ?? []) expect(field.text.length).toBeLessThanOrEqual(2000);
        }
      }
    }
  });

  it('as a webhook stays below 20 kB with plain alerts, and names each', () => {
    const items = Array.from({ length: WEBHOOK_MOST_ITEMS }, (_, at) => item({ alertId: String(at) }));
    const body = webhookBody(message(items[0]!, ...items.slice(1)), { channel: 'ops' });
    expect(JSON.stringify(body).length).toBeLessThan(20_000);
    expect(body).toMatchObject({
      type: 'alert.group',
      data: { alerts: items.map(({ alertId }) => ({ id: alertId })) },
    });
    expect(webhookBody(message(item(over)), { channel: 'ops' })).toMatchObject({
      type: 'alert.resolved',
      data: { alerts: [{ resolvedAt: '2026-03-01T12:35:18Z' }] },
    });
  });

  it('in the shape of Alertmanager has in common what all of them have', () => {
    const body = alertmanagerBody(message(item(), item({ symbol: 'ETHUSDT', ...over })), { channel: 'ops' });
    expect(body).toMatchObject({
      status: 'firing',
      commonLabels: { alertname: 'BTC price high', severity: 'high', team: 'ops' },
      alerts: [{ status: 'firing' }, { status: 'resolved', endsAt: '2026-03-01T12:35:18Z' }],
    });
    expect((body as { commonLabels: object }).commonLabels).not.toHaveProperty('symbol');
  });

  it('to PagerDuty is put on record at the lowest severity when it is over already', () => {
    const events = pagerDutyEvents(item({ ...over, isMerged: true, severity: 'critical' }), 'k'.repeat(32), {
      channel: 'ops',
    });
    expect(events).toMatchObject([
      { event_action: 'trigger', payload: { severity: 'info' } },
      { event_action: 'resolve' },
    ]);
    expect(new Set(events.map((event) => event.dedup_key)).size).toBe(1);
    expect(pagerDutyEvents(item({ isTest: true }), 'k'.repeat(32), { channel: 'ops' })).toMatchObject([
      { event_action: 'trigger', payload: { severity: 'info' } },
      { event_action: 'resolve' },
    ]);
    expect(pagerDutyEvents(nasty, 'k'.repeat(32), { channel: 'ops' })[0]).toMatchObject({
      payload: { summary: expect.toSatisfy((summary: string) => summary.length <= 1024) },
    });
  });

  it('by mail has one line as its subject, and its own id', () => {
    const { subject, messageId } = mailOf(message(nasty), { channel: 'ops' });
    expect(subject).not.toMatch(/[\r\n\u2028]/);
    expect(subject.length).toBeLessThanOrEqual(200);
    expect(messageId).toBe(`<${item().notificationId}@tapeline>`);
    expect(mailOf(message(item(), item(over)), { channel: 'ops' }).subject).toBe('[2 ALERTS] 1 firing, 1 resolved');
  });

  it('by mail answers the mails that its firings went out in', () => {
    const answered = (...items: [Item, ...Item[]]): string[] =>
      mailOf(message(...items), { channel: 'ops' }).references;
    const [one, other] = [item({ ...over, toldIn: 'm1' }), item({ ...over, toldIn: 'm2' })];
    expect(answered(one)).toEqual(['<m1@tapeline>']);
    expect(answered(one, one, other)).toEqual(['<m1@tapeline>', '<m2@tapeline>']);
    expect(answered(one, item())).toEqual([]);
    expect(answered(item({ ...over, isMerged: true }))).toEqual([]);
  });
});

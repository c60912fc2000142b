import { describe, expect, it } from 'vitest';
import { parseInstant } from '../../contracts/index.js';
import { isInForce, matchesAll, type Matcher, type Schedule, type Silence, silenceOf } from './silence.js';
import { MATCHERS, SCHEDULE } from './silence-fields.js';

const ALERT = {
  alertId: '41',
  ruleId: 'btc_high',
  source: 'binance',
  symbol: 'BTCUSDT',
  severity: 'high',
  labels: { team: 'desk' },
};
const matcher = (text: string): Matcher => {
  const [, name, op, value] = /^([\w-]+)(!?=)(.*)$/.exec(text) as unknown as [string, string, '=' | '!=', string];
  return { name, op, value };
};
const us = (instant: string): number => parseInstant(instant)!;
const silence = (given: Partial<Silence>): Silence => ({
  id: '1',
  matchers: [matcher('symbol=BTC*')],
  startsAtUs: us('2026-01-01T00:00:00Z'),
  endsAtUs: us('2027-01-01T00:00:00Z'),
  comment: 'test',
  createdAtUs: 0,
  ...given,
});

describe('matchers', () => {
  it.each([
    ['symbol=BTCUSDT', true],
    ['symbol=BTC*', true],
    ['symbol=*', true],
    ['symbol=BTC', false],
    ['symbol!=BTC*', false],
    ['symbol!=ETH*', true],
    ['rule=btc_high', true],
    ['source=kraken', false],
    ['severity=high', true],
    ['alert=41', true],
    ['team=desk', true],
    ['team=des*', true],
    ['team!=desk', false],
    ['venue=', true],
    ['venue!=', false],
    ['constructor=', true],
  ])('%s: %s', (text, expected) => expect(matchesAll([matcher(text)], ALERT)).toBe(expected));

  it('must all hold', () => {
    expect(matchesAll([matcher('symbol=BTC*'), matcher('team=desk')], ALERT)).toBe(true);
    expect(matchesAll([matcher('symbol=BTC*'), matcher('team=ops')], ALERT)).toBe(false);
  });

  it('of a manual alert find no rule', () => {
    expect(matchesAll([matcher('rule=')], { ...ALERT, ruleId: null })).toBe(true);
  });

  it.each([
    [[], 'list of 1 to 10'],
    [[{ name: 'symbol', op: '=~', value: '.*' }], 'at [0].op: must be = or !=, not "=~"'],
    [[matcher('a=b'), { name: 'symbol', op: '=', value: 'B*C*' }], 'at [1].value: must be'],
    [[{ name: 'symbol', op: '=' }], 'at [0].value'],
    [
      [{ name: 'symbol', op: '=', value: 'x', more: 1 }],
      'at [0]: must be an object of name, op, value, without "more"',
    ],
    [[{ name: 'no spaces', op: '=', value: 'x' }], 'at [0].name'],
    ['symbol=BTC', 'list of 1 to 10'],
    [[null], 'at [0]: must be an object'],
    [Array.from({ length: 11 }, () => matcher('a=b')), 'list of 1 to 10'],
  ])('are refused, and the place is told: %j', (value, told) => expect(MATCHERS(value)).toContain(told));
});

describe('a silence', () => {
  it('is in force from its start until before its end', () => {
    const one = silence({});
    expect(
      [one.startsAtUs - 1, one.startsAtUs, one.endsAtUs - 1, one.endsAtUs].map((at) => isInForce(one, at)),
    ).toEqual([false, true, true, false]);
  });

  it('is found by what it matches', () => {
    const at = us('2026-06-01T00:00:00Z');
    const others = [silence({ id: '1', matchers: [matcher('symbol=ETH*')] }), silence({ id: '2' })];
    expect(silenceOf(others, ALERT, at)?.id).toBe('2');
    expect(silenceOf(others, { ...ALERT, symbol: 'SOLUSDT' }, at)).toBeUndefined();
  });

  const scheduled = (schedule: Schedule) => (instant: string) => isInForce(silence({ schedule }), us(instant));

  it('keeps to its hours as the clocks of the zone show them, on both sides of a change of clocks', () => {
    const isOn = scheduled({ zone: 'Europe/Berlin', days: [], from: '22:00', to: '06:00' });
    // winter: UTC+1; summer from 2026-03-29: UTC+2
    expect(
      ['2026-03-27T20:59:59Z', '2026-03-27T21:00:00Z', '2026-03-28T04:59:59Z', '2026-03-28T05:00:00Z'].map(isOn),
    ).toEqual([false, true, true, false]);
    expect(
      ['2026-03-30T19:59:59Z', '2026-03-30T20:00:00Z', '2026-03-31T03:59:59Z', '2026-03-31T04:00:00Z'].map(isOn),
    ).toEqual([false, true, true, false]);
    // the night of the change itself has an hour less: 22:00 CET to 06:00 CEST
    expect(
      ['2026-03-28T20:59:59Z', '2026-03-28T21:00:00Z', '2026-03-29T03:59:59Z', '2026-03-29T04:00:00Z'].map(isOn),
    ).toEqual([false, true, true, false]);
  });

  it('holds twice through an hour that comes twice', () => {
    const isOn = scheduled({ zone: 'America/New_York', days: ['sun'], from: '01:00', to: '02:00' });
    // 2026-11-01: 01:30 EDT is 05:30Z, 01:30 EST is 06:30Z
    expect(
      ['2026-11-01T04:59:59Z', '2026-11-01T05:30:00Z', '2026-11-01T06:30:00Z', '2026-11-01T07:00:00Z'].map(isOn),
    ).toEqual([false, true, true, false]);
  });

  it('belongs to the day its window starts on', () => {
    const isOn = scheduled({ zone: 'UTC', days: ['sat'], from: '22:00', to: '06:00' });
    // 2026-08-08 is a Saturday
    expect(
      ['2026-08-08T05:00:00Z', '2026-08-08T22:00:00Z', '2026-08-09T05:59:00Z', '2026-08-09T22:00:00Z'].map(isOn),
    ).toEqual([false, true, true, false]);
  });

  it('takes whole days', () => {
    const isOn = scheduled({ zone: 'Asia/Kathmandu', days: ['mon'], from: '00:00', to: '24:00' });
    // UTC+05:45
    expect(
      ['2026-08-09T18:14:00Z', '2026-08-09T18:15:00Z', '2026-08-10T18:14:00Z', '2026-08-10T18:15:00Z'].map(isOn),
    ).toEqual([false, true, true, false]);
  });

  it.each([
    [{ zone: 'Europe/Atlantis', from: '01:00', to: '02:00' }, 'at zone: must be an IANA time zone'],
    [{ zone: '+02:00', from: '01:00', to: '02:00' }, 'at zone'],
    [{ zone: 'UTC', from: '1:00', to: '02:00' }, 'at from: must be a time from 00:00 to 23:59, not "1:00"'],
    [{ zone: 'UTC', from: '24:00', to: '02:00' }, 'at from'],
    [{ zone: 'UTC', from: '02:00', to: '02:00' }, 'two times, not "02:00" twice'],
    [{ zone: 'UTC', days: ['someday'], from: '01:00', to: '02:00' }, 'at days: must be days out of mon'],
    [{ zone: 'UTC', days: ['mon', 'mon'], from: '01:00', to: '02:00' }, 'at days'],
    [{ zone: 'UTC', from: '01:00' }, 'at to: must be'],
    [{ zone: 'UTC', from: '01:00', to: '02:00', more: 1 }, 'without "more"'],
    ['at night', 'must be an object of zone, days, from, to'],
  ])('refuses the schedule %j, and tells where', (schedule, told) => expect(SCHEDULE(schedule)).toContain(told));

  it('takes a schedule without days', () =>
    expect(SCHEDULE({ zone: 'Europe/Berlin', from: '01:00', to: '24:00' })).toBeUndefined());
});

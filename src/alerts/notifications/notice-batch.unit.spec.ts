import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEVERITIES } from '../../contracts/index.js';
import { type Firing, type Known, NoticeBatch, type Told } from './notice-batch.js';
import type { Notice } from '../messages/notice.js';
import { DEFAULT_SETTINGS } from '../channels/notification-settings.js';

const NOW_US = 1_700_000_000_000_000;
const COOLDOWN_US = 300_000_000;
const NOTHING: Known = {
  nowUs: NOW_US,
  settings: { ...DEFAULT_SETTINGS, runawayMost: 2 },
  firings: [],
  told: [],
  stopped: new Map(),
  recent: [],
  gone: new Set(),
};

const notice = (changes: Partial<Notice> = {}): Notice => ({
  alertId: '1',
  ruleId: 'high',
  ruleName: 'High',
  kind: 'fired',
  severity: 'high',
  source: 'binance',
  symbol: 'BTCUSDT',
  condition: 'price > 1',
  value: 2,
  atUs: NOW_US,
  startedAtUs: NOW_US,
  labels: {},
  cooldownUs: COOLDOWN_US,
  ...changes,
});
const resolved = (changes: Partial<Notice> = {}): Notice => notice({ kind: 'resolved', ...changes });

const counter = (): (() => string) => {
  let last = 0;
  return () => `n${++last}`;
};

function decided(notices: readonly Notice[], known = NOTHING, channels = ['ops']): NoticeBatch {
  const batch = new NoticeBatch(known, counter());
  for (const one of notices) batch.add(one, channels);
  return batch;
}

const queued = ({ queued: all }: NoticeBatch): unknown[] =>
  all.map(({ notice: { alertId, kind }, state, payload }) => [alertId, kind, payload.isMerged ? 'merged' : state]);

describe('notices of one batch', () => {
  it('meet the cooldown that one of them began, and the held ones are counted', () => {
    const batch = decided([
      notice(),
      resolved(),
      notice({ alertId: '2' }),
      resolved({ alertId: '2' }),
      notice({ alertId: '3', severity: 'critical' }),
    ]);
    expect(queued(batch)).toEqual([
      ['1', 'fired', 'pending'],
      ['1', 'resolved', 'merged'],
      ['2', 'fired', 'held'],
      ['3', 'fired', 'pending'],
    ]);
    expect(batch.queued.map(({ held }) => held)).toEqual([0, 0, 0, 1]);
    expect(batch.ended).toEqual([
      { id: 'n1', state: 'superseded' },
      { id: 'n3', state: 'suppressed' },
    ]);
    expect(batch.told).toMatchObject([{ channel: 'ops', held: 0, last: { atUs: NOW_US, severity: 'critical' } }]);
  });

  it('are not told where the channel of their firing is gone', () => {
    const firing: Firing = {
      id: 'f',
      alertId: '1',
      kind: 'fired',
      channel: 'ops',
      thread: 'f',
      state: 'sent',
      held: 0,
    };
    const batch = decided([resolved()], {
      ...NOTHING,
      firings: [firing, { ...firing, id: 'g', channel: 'gone' }],
      gone: new Set(['gone']),
    });
    expect(batch.queued.map(({ channel }) => channel)).toEqual(['ops']);
    expect(batch.unheard).toBe(1);
  });

  it('stop a rule at the one too many, and hold those after it', () => {
    const batch = decided(['1', '2', '3', '4', '5'].map((alertId) => notice({ alertId, cooldownUs: 0 })));
    expect(batch.stopped).toMatchObject([{ ruleId: 'high', notices: 4 }]);
    const untilUs = batch.stopped[0]!.untilUs;
    expect(batch.queued.map(({ state, reason, payload }) => [state, reason, payload.stoppedUntilUs])).toEqual([
      ...Array.from({ length: 3 }, () => ['pending', undefined, undefined]),
      ['pending', undefined, untilUs],
      ['held', 'runaway', undefined],
    ]);
  });

  it('are queued once an alert, kind and channel', () => {
    const batch = decided([notice({ cooldownUs: 0 }), notice({ cooldownUs: 0 }), notice({ kind: 'no-data' })]);
    expect(queued(batch)).toEqual([
      ['1', 'fired', 'pending'],
      ['1', 'no-data', 'pending'],
    ]);
    expect(batch.queued.map(({ thread }) => thread)).toEqual(['n1', 'n1']);
  });

  it('have no limits where a person raised the alert', () => {
    const batch = decided(['1', '2', '3', '4', '5'].map((alertId) => notice({ alertId, ruleId: null })));
    expect(batch.queued.map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'pending'));
    expect([batch.told, batch.stopped]).toEqual([[], []]);
  });

  const step = fc.record({
    kind: fc.constantFrom('fired', 'no-data', 'resolved'),
    alert: fc.integer({ min: 1, max: 12 }),
    severity: fc.constantFrom(...SEVERITIES),
    cooldownUs: fc.constantFrom(0, COOLDOWN_US),
    channels: fc.subarray(['ops', 'post']),
  });
  const lists = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }).map((steps) =>
    steps.map(({ kind, alert, severity, cooldownUs, channels }) => ({
      notice: notice({
        alertId: String(alert),
        kind,
        severity,
        cooldownUs,
        ruleId: alert === 12 ? null : `rule-${alert % 2}`,
        symbol: alert % 5 > 0 ? 'BTCUSDT' : 'ETHUSDT',
      }),
      channels,
    })),
  );

  it('are decided as if each had come alone, after the ones before it were stored', () => {
    fc.assert(
      fc.property(lists, (all) => {
        const together = new NoticeBatch(NOTHING, counter());
        for (const { notice: one, channels } of all) together.add(one, channels);

        let known = NOTHING;
        const [ids, alone] = [counter(), { queued: [] as unknown[], ended: [] as unknown[], stopped: [] as unknown[] }];
        for (const { notice: one, channels } of all) {
          const batch = new NoticeBatch(known, ids);
          batch.add(one, channels);
          alone.queued.push(...batch.queued);
          alone.ended.push(...batch.ended);
          alone.stopped.push(...batch.stopped);
          known = stored(known, batch);
        }
        expect({ queued: together.queued, ended: together.ended, stopped: together.stopped }).toEqual(alone);
        expect(stored(NOTHING, together)).toEqual(known);
      }),
      { numRuns: 2000 },
    );
  });
});

/** What the store would read after it wrote what was decided. */
function stored(known: Known, { queued: made, ended, stopped, told }: NoticeBatch): Known {
  const endings = new Map(ended.map(({ id, state }) => [id, state]));
  const firings: Firing[] = made
    .filter(({ notice: { kind } }) => kind !== 'resolved')
    .map(({ notice: { alertId, kind }, id, channel, thread, state, held }) => ({
      id,
      alertId,
      kind,
      channel,
      thread,
      state,
      held,
    }));
  const ledger = new Map(known.told.map((one) => [keyOf(one), one]));
  for (const one of told) {
    const before = ledger.get(keyOf(one));
    ledger.set(keyOf(one), one.last ? one : { ...one, last: before?.last, held: (before?.held ?? 0) + one.held });
  }
  const out = made.filter(
    ({ notice: { kind, ruleId }, state }) => kind !== 'resolved' && ruleId && state === 'pending',
  );
  return {
    ...known,
    firings: [...known.firings, ...firings].map((one) => ({ ...one, state: endings.get(one.id) ?? one.state })),
    told: [...ledger.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    stopped: new Map([...known.stopped, ...stopped.map(({ ruleId, untilUs }) => [ruleId, untilUs] as const)]),
    recent: [
      ...known.recent,
      ...out.map(({ notice: { ruleId, source, symbol, alertId } }) => ({ ruleId: ruleId!, source, symbol, alertId })),
    ],
  };
}

const keyOf = ({ channel, ruleId, source, symbol }: Told): string => [channel, ruleId, source, symbol].join();

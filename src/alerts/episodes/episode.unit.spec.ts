import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  close,
  type EpisodeState,
  fail,
  INACTIVE,
  type Observation,
  passTime,
  type Policy,
  rescheduled,
  step,
  type Transition,
  type Verdict,
} from './episode.js';

const S = 1_000_000;
const POLICY: Policy = {
  forUs: 0,
  keepFiringForUs: 0,
  noData: 'keep',
  noDataAfterUs: 20 * S,
  mode: 'every',
  barUs: 60 * S,
  cooldownUs: 300 * S,
};

type Input = Readonly<{ atUs: number; fires: Verdict; resolves?: Verdict; missingSinceUs?: number }>;

const seen = ({ atUs, fires, resolves, missingSinceUs }: Input): Observation => ({
  atUs,
  fires,
  resolves,
  value: fires === undefined ? null : atUs / S,
  ...(missingSinceUs !== undefined && { missingSinceUs }),
});

/** Runs observations, and lets time pass to `untilUs` after them. */
function run(inputs: readonly Input[], policy: Policy, untilUs?: number, begin: EpisodeState = INACTIVE) {
  let state = begin;
  const transitions: Transition[] = [];
  const take = (result: Readonly<{ state: EpisodeState; transitions: readonly Transition[] }>): void => {
    state = result.state;
    transitions.push(...result.transitions);
  };
  for (const input of inputs) take(step(state, seen(input), policy));
  if (untilUs !== undefined) take(passTime(state, untilUs, policy));
  return { state, transitions };
}

/** `fired@10 resolved@20 no-data` … in seconds. */
const told = (transitions: readonly Transition[]): string =>
  transitions
    .map(({ kind, atUs, reason }) => `${kind}@${atUs / S}${reason && reason !== 'condition' ? `:${reason}` : ''}`)
    .join(' ');

/** `1:+ 2:- 3:?`: at which second the condition held, did not, or was unknown; `/-` after it is the resolve condition. */
const script = (text: string): Input[] =>
  text.split(' ').map((part) => {
    const [at, verdicts] = part.split(':') as [string, string];
    const [fires, resolves] = verdicts.split('/').map((one) => (one === '?' ? undefined : one === '+'));
    return { atUs: Number(at) * S, fires, ...(verdicts.includes('/') && { resolves }) };
  });

const tell = (text: string, policy: Partial<Policy>, untilS?: number): string =>
  told(run(script(text), { ...POLICY, ...policy }, untilS === undefined ? undefined : untilS * S).transitions);

describe('an episode', () => {
  it('begins and ends with the condition', () => {
    expect(tell('1:- 2:+ 3:+ 4:- 5:- 6:+', {})).toBe('fired@2 resolved@4 fired@6');
  });

  it('begins when the condition has held for long enough, at that instant, and not after a break', () => {
    const policy = { forUs: 10 * S };
    expect(tell('1:+ 5:- 6:+ 20:+', policy)).toBe('pending@1 cancelled@5 pending@6 fired@16');
    expect(tell('1:+', policy, 11)).toBe('pending@1 fired@11');
    expect(tell('1:+', policy, 10.9)).toBe('pending@1');
  });

  it('tells since when it was pending, and the last value before it fired', () => {
    const { transitions } = run(script('1:+ 5:+ 20:+'), { ...POLICY, forUs: 10 * S });
    expect(transitions[1]).toEqual({ kind: 'fired', atUs: 11 * S, value: 5, reason: 'condition', pendingSinceUs: S });
  });

  it('ends when it has recovered for long enough, and counts as one when it has not', () => {
    const policy = { keepFiringForUs: 10 * S };
    expect(tell('1:+ 2:- 5:+ 6:- 30:-', policy)).toBe('fired@1 recovering@2 refired@5 recovering@6 resolved@16');
  });

  it('fires once on an input that flaps between condition and resolve condition', () => {
    const flapping = Array.from({ length: 50 }, (_, index) => `${index + 1}:${index % 2 ? '-' : '+'}/-`).join(' ');
    expect(tell(`${flapping} 60:-/+`, { hysteresis: true })).toBe('fired@1 resolved@60');
    expect(tell(flapping, {}).split(' ')).toHaveLength(50);
  });

  it('has one in mode once, and begins anew after an edit', () => {
    const policy = { ...POLICY, mode: 'once' } as const;
    const { state, transitions } = run(script('1:+ 2:- 3:+ 4:-'), policy);
    expect(told(transitions)).toBe('fired@1 resolved@2');
    expect(told(run(script('6:+'), policy, undefined, close(state, 5 * S, 'edited').state).transitions)).toBe(
      'fired@6',
    );
  });

  it('fires once in a bar, and again when the next begins and the condition still holds', () => {
    const policy = { mode: 'once-per-bar' } as const;
    expect(tell('1:+ 2:- 3:+ 4:- 5:+ 70:+', policy)).toBe(
      'fired@1 resolved@2 pending@3 cancelled@4 pending@5 fired@60',
    );
  });

  it('ends at the instant the rule expires, and never fires after it', () => {
    const policy = { expiresAtUs: 10 * S };
    expect(tell('1:+ 20:+ 21:- 22:+', policy, 30)).toBe('fired@1 resolved@10:expired');
    expect(tell('1:+ 20:+', { ...policy, forUs: 9 * S }, 30)).toBe('pending@1 cancelled@10:expired');
    expect(tell('1:+', { ...policy, forUs: 5 * S }, 30)).toBe('pending@1 fired@6 resolved@10:expired');
    expect(tell('1:- 12:+', policy)).toBe('');
  });

  it('ends at an expiry that was moved while it fired', () => {
    const { state } = run(script('1:+'), POLICY);
    const sooner = { ...POLICY, expiresAtUs: 10 * S };
    expect(told(run(script('20:+'), sooner, undefined, state).transitions)).toBe('resolved@10:expired');
    expect(told(passTime(state, 30 * S, sooner).transitions)).toBe('resolved@10:expired');
    expect(rescheduled(state, sooner)).toEqual({ ...state, dueUs: 10 * S });
    const later = { ...POLICY, expiresAtUs: 50 * S };
    expect(told(run(script('20:+ 21:-'), later, undefined, rescheduled(state, sooner)).transitions)).toBe(
      'resolved@21',
    );
  });
});

describe('no data', () => {
  it('does not count while it is short, and holds pending and recovering up', () => {
    expect(tell('1:+ 5:? 20:+', { forUs: 10 * S })).toBe('pending@1 fired@20');
    expect(tell('1:+ 5:? 20:-', { forUs: 10 * S })).toBe('pending@1 cancelled@20');
    expect(tell('1:+ 2:- 5:? 20:-', { keepFiringForUs: 10 * S })).toBe('fired@1 recovering@2 resolved@20');
    expect(tell('1:+ 5:? 24:+', {}, 40)).toBe('fired@1');
  });

  it('counts at the same instant whenever it is looked at, from when the data went missing', () => {
    expect(tell('1:- 5:?', { noData: 'alert' }, 100)).toBe('no-data@25 fired@25:no-data');
    const since = [{ atUs: 15 * S, fires: undefined, missingSinceUs: 5 * S }];
    expect(told(run(since, { ...POLICY, noData: 'alert' }, 100 * S).transitions)).toBe('no-data@25 fired@25:no-data');
  });

  it('never acts before it is told of, however long ago the data went missing', () => {
    const since = [{ atUs: 50 * S, fires: undefined, missingSinceUs: 5 * S }];
    expect(told(run(since, { ...POLICY, noData: 'alert' }).transitions)).toBe('no-data@50 fired@50:no-data');
  });

  it('fires its own alert and nothing else, which ends when the data is back', () => {
    expect(tell('1:- 5:? 40:- 41:+', { noData: 'alert' })).toBe(
      'no-data@25 fired@25:no-data data-back@40 resolved@40:no-data fired@41',
    );
    expect(tell('5:? 40:+', { noData: 'alert' })).toBe(
      'no-data@25 fired@25:no-data data-back@40 resolved@40:no-data fired@40',
    );
  });

  it('does not open a second alert beside one that fires', () => {
    expect(tell('1:+ 5:? 40:+ 41:-', { noData: 'alert' })).toBe('fired@1 no-data@25 data-back@40 resolved@41');
  });

  it('ends what fires where it means ok, and cancels what is pending', () => {
    expect(tell('1:+ 5:? 40:+', { noData: 'ok' })).toBe('fired@1 no-data@25 resolved@25:no-data data-back@40 fired@40');
    expect(tell('1:+ 5:? 40:-', { noData: 'ok', forUs: 30 * S })).toBe(
      'pending@1 no-data@25 cancelled@25:no-data data-back@40',
    );
  });

  it('keeps what was', () => {
    expect(tell('1:+ 5:? 400:+ 401:-', { noData: 'keep' })).toBe('fired@1 no-data@25 data-back@400 resolved@401');
    expect(tell('1:- 5:? 400:-', { noData: 'keep' })).toBe('no-data@25 data-back@400');
  });

  it('of the one condition does not matter while the other is the one that is asked', () => {
    const policy = { hysteresis: true, noData: 'alert' } as const;
    expect(tell('1:+/- 5:?/- 40:?/+', policy)).toBe('fired@1 resolved@40');
    expect(tell('1:-/? 50:-/? 60:+/?', policy)).toBe('fired@60');
  });

  it('is what an error counts as, at once', () => {
    const policy = { ...POLICY, noData: 'alert' } as const;
    expect(told(fail(INACTIVE, 3 * S, policy).transitions)).toBe('error@3 fired@3:error');
    const firing = run(script('1:+'), policy).state;
    expect(told(fail(firing, 3 * S, policy).transitions)).toBe('error@3');
    expect(told(run(script('4:-'), policy, undefined, fail(firing, 3 * S, policy).state).transitions)).toBe(
      'data-back@4 resolved@4',
    );
  });
});

describe('closing', () => {
  it('by hand holds a rule back until its condition has ended', () => {
    const { state } = run(script('1:+'), POLICY);
    const closed = close(state, 2 * S, 'manual');
    expect(told(closed.transitions)).toBe('resolved@2:manual');
    expect(told(run(script('3:+ 4:+ 5:- 6:+'), POLICY, undefined, closed.state).transitions)).toBe('fired@6');
  });

  it('by hand of an alert of missing data does not raise it again', () => {
    const policy = { ...POLICY, noData: 'alert' } as const;
    const { state } = run(script('1:- 5:?'), policy, 30 * S);
    const closed = close(state, 31 * S, 'manual');
    expect(told(closed.transitions)).toBe('resolved@31:manual');
    expect(told(run(script('32:? 40:+'), policy, 39 * S, closed.state).transitions)).toBe('data-back@40 fired@40');
  });

  it('cancels what waits for its data to come back', () => {
    const { state } = run(script('1:+ 5:?'), { ...POLICY, forUs: 60 * S }, 30 * S);
    expect(told(close(state, 31 * S, 'edited').transitions)).toBe('cancelled@31:edited');
  });

  it('is never earlier than what it ends', () => {
    const { state } = run(script('10:+'), POLICY);
    expect(told(close(state, 8 * S, 'disabled').transitions)).toBe('resolved@10:disabled');
  });

  it('says nothing when nothing was open', () => expect(close(INACTIVE, S, 'deleted').transitions).toEqual([]));
});

const verdict = fc.constantFrom<Verdict>(true, true, false, false, undefined);
const policies = fc
  .record({
    forUs: fc.constantFrom(0, S, 7 * S),
    keepFiringForUs: fc.constantFrom(0, S, 5 * S),
    noData: fc.constantFrom('ok', 'alert', 'keep'),
    noDataAfterUs: fc.constantFrom(2 * S, 10 * S),
    mode: fc.constantFrom('every', 'once', 'once-per-bar'),
    barUs: fc.constant(10 * S),
    cooldownUs: fc.constant(0),
    hysteresis: fc.boolean(),
    expiresAtUs: fc.option(
      fc.integer({ min: 1, max: 80 }).map((s) => s * S),
      { nil: undefined, freq: 3 },
    ),
  })
  .map(
    ({ expiresAtUs, ...policy }): Policy =>
      ({ ...policy, ...(expiresAtUs !== undefined && { expiresAtUs }) }) as Policy,
  );

type Act = Readonly<{
  waitS: number;
  fires: Verdict;
  resolves: Verdict;
  missingForS: number | undefined;
  act: 'see' | 'fail' | 'manual';
}>;
const acts = fc.array(
  fc.record({
    waitS: fc.integer({ min: 0, max: 6 }),
    fires: verdict,
    resolves: verdict,
    missingForS: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
    act: fc.constantFrom('see', 'see', 'see', 'see', 'see', 'see', 'fail', 'manual'),
  }) as fc.Arbitrary<Act>,
  { maxLength: 40 },
);

/** `looks`: instants, as parts of each wait, at which time is passed besides. */
function play(all: readonly Act[], policy: Policy, looks: readonly number[]) {
  let state = INACTIVE;
  let nowUs = 0;
  const transitions: Transition[] = [];
  const states: EpisodeState[] = [];
  const take = (result: Readonly<{ state: EpisodeState; transitions: readonly Transition[] }>): void => {
    state = result.state;
    states.push(state);
    transitions.push(...result.transitions);
  };
  for (const { waitS, fires, resolves, missingForS, act } of all) {
    for (const part of looks) take(passTime(state, nowUs + Math.round(waitS * S * part), policy));
    nowUs += waitS * S;
    const value = nowUs / S;
    if (act === 'fail') take(fail(state, nowUs, policy));
    else if (act === 'manual') {
      take(passTime(state, nowUs, policy));
      take(close(state, nowUs, 'manual'));
    } else {
      const missing = missingForS === undefined ? {} : { missingSinceUs: nowUs - missingForS * S };
      take(step(state, { atUs: nowUs, fires, resolves, value, ...missing }, policy));
    }
  }
  take(passTime(state, nowUs + 100 * S, policy));
  return { state, transitions, states };
}

describe('by law', () => {
  const parts = fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 })
    .map((all) => all.toSorted((a, b) => a - b));

  it('transitions and their instants do not depend on how often time is passed', () => {
    fc.assert(
      fc.property(acts, policies, parts, (all, policy, looks) => {
        expect(play(all, policy, looks).transitions).toEqual(play(all, policy, []).transitions);
      }),
      { numRuns: 2000 },
    );
  });

  it('fired and resolved take turns, in time, and a state says whether one is open', () => {
    fc.assert(
      fc.property(acts, policies, (all, policy) => {
        const { state, transitions } = play(all, policy, []);
        const turns = transitions.filter(({ kind }) => kind === 'fired' || kind === 'resolved').map(({ kind }) => kind);
        turns.forEach((kind, index) => expect(kind).toBe(index % 2 === 0 ? 'fired' : 'resolved'));
        expect(state.open !== undefined).toBe(turns.length % 2 === 1);
        transitions
          .slice(1)
          .forEach(({ atUs }, index) => expect(atUs).toBeGreaterThanOrEqual(transitions[index]!.atUs));
        const reasoned = transitions.filter(({ kind }) => ['fired', 'resolved', 'cancelled'].includes(kind));
        expect(reasoned.every(({ reason }) => reason !== undefined)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('closing ends everything, in every phase, and says why', () => {
    const phases = new Set<string>();
    fc.assert(
      fc.property(acts, policies, fc.constantFrom('edited', 'deleted', 'expired', 'manual'), (all, policy, reason) => {
        for (const state of play(all, policy, []).states) {
          phases.add(state.phase);
          const closed = close(state, state.sinceUs + 1, reason);
          const ends = closed.transitions.filter(({ kind }) => kind === 'resolved');
          expect(ends.map((end) => end.reason)).toEqual(state.open === undefined ? [] : [reason]);
          expect(closed.state.open).toBeUndefined();
          expect(closed.state.alertId).toBeUndefined();
          if (reason !== 'manual') expect(closed.state.phase).toBe('inactive');
        }
      }),
      { numRuns: 300 },
    );
    expect([...phases].sort()).toEqual(['error', 'firing', 'inactive', 'no-data', 'pending', 'recovering']);
  });

  it('survives being stored', () => {
    fc.assert(
      fc.property(acts, policies, (all, policy) => {
        for (const state of play(all, policy, []).states) expect(JSON.parse(JSON.stringify(state))).toEqual(state);
      }),
      { numRuns: 200 },
    );
  });

  it('in mode once fires once by its condition, in once-per-bar once a bar, and nothing happens after the expiry', () => {
    fc.assert(
      fc.property(acts, policies, (all, policy) => {
        const { transitions } = play(all, policy, []);
        const fired = transitions.filter(({ kind, reason }) => kind === 'fired' && reason === 'condition');
        if (policy.mode === 'once') expect(fired.length).toBeLessThanOrEqual(1);
        if (policy.mode === 'once-per-bar') {
          const bars = fired.map(({ atUs }) => Math.floor(atUs / policy.barUs));
          expect(new Set(bars).size).toBe(bars.length);
        }
        const { expiresAtUs = Infinity } = policy;
        expect(transitions.every(({ atUs }) => atUs <= expiresAtUs)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('a firing by the condition never comes sooner than `for` after it began to hold', () => {
    fc.assert(
      fc.property(acts, policies, (all, policy) => {
        for (const { kind, reason, atUs, pendingSinceUs = atUs } of play(all, policy, []).transitions)
          if (kind === 'fired' && reason === 'condition')
            expect(atUs - pendingSinceUs).toBeGreaterThanOrEqual(policy.forUs);
      }),
      { numRuns: 1000 },
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstMissing, type IdRun, joinHoles, multirangeText, outsideOf, runsOf, splitAtMost } from './coverage.js';

const LARGEST = 2n ** 63n - 1n;
/** Close together, as ids of one feed are, around what a float still holds, and at the far end of what a trade id may be. */
const ids = fc.oneof(
  fc.array(fc.bigInt(0n, 60n), { maxLength: 50 }),
  fc.array(fc.bigInt(10n ** 15n - 20n, 10n ** 15n + 20n), { maxLength: 30 }),
  fc.array(fc.bigInt(LARGEST - 20n, LARGEST), { maxLength: 20 }),
);
const members = (runs: readonly IdRun[]): bigint[] =>
  runs.flatMap(({ from, to }) => Array.from({ length: Number(to - from) + 1 }, (_, i) => from + BigInt(i)));
const ascending = (list: readonly bigint[]): bigint[] => [...new Set(list)].sort((a, b) => (a < b ? -1 : 1));

describe('runs of trade ids', () => {
  it('hold exactly the ids, whatever their order and however often they came', () => {
    fc.assert(
      fc.property(ids, (list) => {
        expect(members(runsOf(list.map(String)))).toEqual(ascending(list));
      }),
    );
  });

  it('are as few as can be, ascending and apart', () => {
    fc.assert(
      fc.property(ids, (list) => {
        const runs = runsOf(list.map(String));
        for (const [i, run] of runs.entries()) {
          expect(run.from <= run.to).toBe(true);
          expect(i === 0 || run.from > runs[i - 1]!.to + 1n).toBe(true);
        }
      }),
    );
  });

  it('are ordered as numbers, not as text', () =>
    expect(runsOf(['10', '9', '2', '11', '9'])).toEqual([
      { from: 2n, to: 2n },
      { from: 9n, to: 11n },
    ]));

  it('stay right beyond the safe integers', () => {
    expect(runsOf(['9007199254740993', '9007199254740992', '9007199254740995'])).toEqual([
      { from: 9007199254740992n, to: 9007199254740993n },
      { from: 9007199254740995n, to: 9007199254740995n },
    ]);
  });

  it('are none of no ids', () => expect(runsOf([])).toEqual([]));
});

describe('a multirange', () => {
  it('names each run with both ends in it', () => {
    expect(
      multirangeText([
        { from: 1n, to: 3n },
        { from: 7n, to: 7n },
      ]),
    ).toBe('{[1,3],[7,7]}');
    expect(multirangeText([])).toBe('{}');
  });

  it('can be read back to the same runs', () => {
    fc.assert(
      fc.property(ids, (list) => {
        const runs = runsOf(list.map(String));
        const read = [...multirangeText(runs).matchAll(/\[(\d+),(\d+)\]/g)].map(([, from, to]) => ({
          from: BigInt(from!),
          to: BigInt(to!),
        }));
        expect(read).toEqual(runs);
      }),
    );
  });
});

/** Ascending, with at least one id between two of them, as holes are. */
const someHoles = fc.array(fc.bigInt(0n, 300n), { maxLength: 40 }).map((list) => runsOf(list.map(String)));
const idsIn = (holes: readonly IdRun[]): bigint[] =>
  holes.flatMap(({ from, to }) => Array.from({ length: Number(to - from) + 1 }, (_, i) => from + BigInt(i)));

describe('holes that are joined', () => {
  it('are all there, in order, and span no more than one request unless a single one is larger', () => {
    fc.assert(
      fc.property(someHoles, fc.bigInt(1n, 50n), (holes, within) => {
        const joined = joinHoles(holes, within);
        expect(joined.flat()).toEqual(holes);
        for (const group of joined) {
          const span = group.at(-1)!.to - group[0]!.from + 1n;
          expect(span <= within || group.length === 1).toBe(true);
        }
      }),
    );
  });

  it('stay apart where one request would not cover them', () => {
    const holes = [
      { from: 1n, to: 2n },
      { from: 9n, to: 10n },
      { from: 11n, to: 11n },
    ];
    expect(joinHoles(holes, 10n).map((group) => group.length)).toEqual([2, 1]);
    expect(joinHoles(holes, 9n).map((group) => group.length)).toEqual([1, 2]);
  });
});

describe('holes that are too many to heal', () => {
  it('are split so that the newest ids are healed, as many as may be, and none is in both parts or in neither', () => {
    fc.assert(
      fc.property(someHoles, fc.bigInt(0n, 60n), (holes, most) => {
        const { older, newer } = splitAtMost(holes, most);
        const all = idsIn(holes);
        const healed = most === 0n ? [] : all.slice(-Number(most));
        const within = (run: IdRun | undefined): bigint[] =>
          all.filter((id) => run !== undefined && id >= run.from && id <= run.to);
        expect(within(newer)).toEqual(healed);
        expect(within(older)).toEqual(all.slice(0, all.length - healed.length));
        expect([newer?.missing ?? 0n, older?.missing ?? 0n]).toEqual([
          BigInt(healed.length),
          BigInt(all.length - healed.length),
        ]);
      }),
    );
  });
});

describe('the first missing id', () => {
  it('is the lowest one of all holes within the bounds', () => {
    fc.assert(
      fc.property(someHoles, fc.bigInt(0n, 310n), fc.bigInt(0n, 100n), (holes, from, length) => {
        const expected = idsIn(holes).find((id) => id >= from && id <= from + length);
        expect(firstMissing(holes, from, from + length)).toBe(expected);
      }),
    );
  });
});

describe('holes outside of gaps', () => {
  it('are those that no single gap holds', () => {
    const runs = fc.array(
      fc.tuple(fc.bigInt(0n, 300n), fc.bigInt(0n, 60n)).map(([from, length]) => ({ from, to: from + length })),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(someHoles, runs, (holes, gaps) => {
        const expected = holes.filter((hole) => !gaps.some(({ from, to }) => from <= hole.from && hole.to <= to));
        expect(outsideOf(holes, gaps)).toEqual(expected);
      }),
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IdRun, joinHoles, multirangeText, runsOf } from './coverage.js';

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

const missing = (list: readonly (IdRun & { missing?: bigint })[]): bigint =>
  list.reduce((sum, one) => sum + (one.missing ?? one.to - one.from + 1n), 0n);

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

describe('holes that are joined', () => {
  const holesAndReach = fc.tuple(
    fc.array(fc.bigInt(0n, 300n), { maxLength: 40 }).map((list) => runsOf(list.map(String))),
    fc.bigInt(1n, 50n),
  );

  it('cover every hole and miss exactly what the holes miss', () => {
    fc.assert(
      fc.property(holesAndReach, ([holes, within]) => {
        const joined = joinHoles(holes, within);
        for (const hole of holes)
          expect(joined.filter(({ from, to }) => from <= hole.from && hole.to <= to)).toHaveLength(1);
        expect(missing(joined)).toBe(missing(holes));
        for (const { from, to } of joined) {
          expect(holes.some((hole) => hole.from === from)).toBe(true);
          expect(holes.some((hole) => hole.to === to)).toBe(true);
        }
      }),
    );
  });

  it('fit into one request, unless a single hole is larger', () => {
    fc.assert(
      fc.property(holesAndReach, ([holes, within]) => {
        for (const { from, to } of joinHoles(holes, within)) {
          expect(to - from + 1n <= within || holes.some((hole) => hole.from === from && hole.to === to)).toBe(true);
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
    expect(joinHoles(holes, 10n)).toEqual([
      { from: 1n, to: 10n, missing: 4n },
      { from: 11n, to: 11n, missing: 1n },
    ]);
    expect(joinHoles(holes, 9n)).toEqual([
      { from: 1n, to: 2n, missing: 2n },
      { from: 9n, to: 11n, missing: 3n },
    ]);
  });

  it('leave the holes they were made of as they were', () => {
    const holes = Object.freeze([Object.freeze({ from: 1n, to: 2n }), Object.freeze({ from: 4n, to: 5n })]);
    expect(joinHoles(holes, 100n)).toEqual([{ from: 1n, to: 5n, missing: 4n }]);
  });
});

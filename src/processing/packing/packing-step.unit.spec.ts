import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { TradeRecord } from '../trade-batch.js';
import { comparePositions, type TradePosition } from '../trade-position.js';
import { type BlockHead, HOUR_US, merge, nextStep, pieces, positionAt, slice } from './packing-step.js';

const MOST = 8;

/** Some trades of a day of few instants, each packed or come late, in several arrivals. */
const arrivals = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 300 })), {
    selector: ([, id]) => id,
    maxLength: 120,
  })
  .chain((trades) =>
    fc.tuple(fc.constant(trades), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })),
  )
  .map(([trades, sizes]) => {
    const parts: TradePosition[][] = [];
    for (let at = 0, turn = 0; at < trades.length; turn++) {
      const size = sizes[turn % sizes.length]!;
      const part = trades.slice(at, at + size);
      parts.push(
        part.map(([place, id]) => ({ tradedAtUs: place * (HOUR_US / 10), tradeId: String(id) })).sort(comparePositions),
      );
      at += size;
    }
    return parts;
  });

it('packs every trade once, into blocks of one hour that are in order, do not overlap and are not too large', () => {
  fc.assert(
    fc.property(arrivals, (parts) => {
      let blocks: TradeRecord[] = [];
      for (const part of parts) {
        blocks = packAll(blocks, part);
        for (const block of blocks) {
          expect(block.tradeIds.length).toBeLessThanOrEqual(MOST);
          expect(new Set(block.tradedAtUs.map((us) => Math.floor(us / HOUR_US))).size).toBe(1);
        }
      }
      const packed = blocks.flatMap(positions);
      expect(packed).toEqual(parts.flat().sort(comparePositions));
    }),
    { numRuns: 300 },
  );
});

it('makes a block of an hour at a time once, when all of the day is there', () => {
  const rows = recordOf(
    Array.from({ length: 30 }, (_, index) => ({ tradedAtUs: index * (HOUR_US / 5), tradeId: String(index) })),
  );
  const reads: number[] = [];
  let rest = rows;
  while (rest.tradeIds.length > 0) {
    const read = slice(rest, 0, MOST);
    const { take, into } = nextStep(read, rest.tradeIds.length < MOST, [], MOST);
    expect(into).toBeUndefined();
    reads.push(take);
    rest = slice(rest, take, rest.tradeIds.length);
  }
  expect(reads).toEqual([5, 5, 5, 5, 5, 5]);
});

it('leaves the blocks before and behind a late trade alone', () => {
  const blocks = [0, 100, 200].map((from) =>
    recordOf(
      Array.from({ length: MOST }, (_, index) => ({ tradedAtUs: from + index * 10, tradeId: String(from + index) })),
    ),
  );
  const late = recordOf([{ tradedAtUs: 105, tradeId: '999' }]);
  expect(nextStep(late, true, blocks.map(headOf), MOST)).toEqual({ take: 1, into: headOf(blocks[1]!, 1) });
  expect(packAll(blocks, positions(late)).map((block) => block.tradeIds.length)).toEqual([8, 4, 5, 8]);
});

/** What the packer does, on an array in the place of the tables. */
function packAll(before: readonly TradeRecord[], part: readonly TradePosition[]): TradeRecord[] {
  let blocks = [...before];
  let rest = recordOf(part);
  for (let steps = 0; rest.tradeIds.length > 0; steps++) {
    expect(steps).toBeLessThan(200);
    const read = slice(rest, 0, MOST);
    const { take, into } = nextStep(read, rest.tradeIds.length < MOST, blocks.map(headOf), MOST);
    expect(take).toBeGreaterThan(0);
    const taken = slice(read, 0, take);
    const merged = into ? merge(blocks[Number(into.id)]!, taken) : taken;
    blocks = blocks
      .filter((_, index) => String(index) !== into?.id)
      .concat(pieces(merged, MOST))
      .sort((a, b) => comparePositions(positionAt(a, 0), positionAt(b, 0)));
    rest = slice(rest, take, rest.tradeIds.length);
  }
  return blocks;
}

function headOf(block: TradeRecord, index: number): BlockHead {
  const trades = block.tradeIds.length;
  return { id: String(index), first: positionAt(block, 0), last: positionAt(block, trades - 1), trades };
}

const positions = (record: TradeRecord): TradePosition[] =>
  record.tradeIds.map((_, index) => positionAt(record, index));

function recordOf(trades: readonly TradePosition[]): TradeRecord {
  return {
    tradeIds: trades.map(({ tradeId }) => tradeId),
    prices: trades.map(() => '1'),
    sizes: trades.map(() => '1'),
    sides: '-'.repeat(trades.length),
    tradedAtUs: trades.map(({ tradedAtUs }) => tradedAtUs),
    receivedAtUs: trades.map(({ tradedAtUs }) => tradedAtUs),
  };
}

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seal } from './packing/sealed-block.store.js';
import { pieces } from './packing/packing-step.js';
import { TradeHistory } from './trade-history.service.js';
import { comparePositions } from './trade-position.js';
import type { StoredTrade, TradePage } from './trade.store.js';

const HOUR_US = 3_600_000_000;

/** Trades at few instants of some hours, each a row, packed, or both, as a reader may see it while it is being packed. */
const recorded = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 1, max: 500 }),
      place: fc.integer({ min: 0, max: 30 }),
      where: fc.constantFrom('row', 'block', 'block', 'both'),
    }),
    { selector: ({ id }) => id, maxLength: 60 },
  )
  .map((trades) =>
    trades
      .map(({ id, place, where }) => ({
        trade: { tradeId: String(id), price: String(id), size: '1', tradedAtUs: place * (HOUR_US / 6) },
        where,
      }))
      .sort((a, b) => comparePositions(a.trade, b.trade)),
  );

it('answers every walk with each trade once, in order, wherever it is kept', async () => {
  const instant = fc.integer({ min: 0, max: 31 }).map((place) => place * (HOUR_US / 6));
  await fc.assert(
    fc.asyncProperty(
      recorded,
      fc.tuple(instant, instant).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
      fc.constantFrom('forward' as const, 'backward' as const),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 6 }),
      async (trades, [fromUs, toUs], direction, limit, most) => {
        const history = await historyOf(trades, most);
        const walked: StoredTrade[] = [];
        for (let position: StoredTrade | undefined; ;) {
          const page = await history.range(1, { fromUs, toUs, direction, position, limit });
          if (page.length === 0) break;
          if (direction === 'forward') walked.push(...page);
          else walked.unshift(...page);
          position = direction === 'forward' ? page.at(-1) : page[0];
          expect(page.length).toBeLessThanOrEqual(limit);
        }
        const wanted = trades
          .map(({ trade }) => trade)
          .filter((one) => one.tradedAtUs >= fromUs && one.tradedAtUs < toUs);
        expect(walked).toEqual(wanted);
        expect(await history.latest(1)).toEqual(trades.at(-1)?.trade);
      },
    ),
    { numRuns: 150 },
  );
});

/** A history whose tables are arrays; blocks hold at most `most` trades. */
async function historyOf(
  trades: readonly { trade: StoredTrade; where: string }[],
  most: number,
): Promise<TradeHistory> {
  const rows = trades.filter(({ where }) => where !== 'block').map(({ trade }) => trade);
  const packed = trades.filter(({ where }) => where !== 'row').map(({ trade }) => trade);
  const record = {
    tradeIds: packed.map(({ tradeId }) => tradeId),
    prices: packed.map(({ price }) => price),
    sizes: packed.map(({ size }) => size),
    sides: '-'.repeat(packed.length),
    tradedAtUs: packed.map(({ tradedAtUs }) => tradedAtUs),
    receivedAtUs: packed.map(({ tradedAtUs }) => tradedAtUs),
  };
  const blocks = await Promise.all(pieces(record, most).map(seal));
  const store = {
    range: (_series: number, page: TradePage) => {
      const within = rows.filter(
        (row) =>
          row.tradedAtUs >= page.fromUs &&
          row.tradedAtUs < page.toUs &&
          (!page.position ||
            Math.sign(comparePositions(row, page.position)) === (page.direction === 'forward' ? 1 : -1)),
      );
      return Promise.resolve(page.direction === 'forward' ? within.slice(0, page.limit) : within.slice(-page.limit));
    },
  };
  const nearest = (_series: number, page: TradePage): Promise<Buffer[]> =>
    Promise.resolve(page.direction === 'forward' ? blocks : blocks.toReversed());
  return new TradeHistory(store as never, { nearest } as never);
}

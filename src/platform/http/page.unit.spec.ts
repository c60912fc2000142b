import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cursorAt, cutWindows, rangeOf } from './page.js';

/** What a store answers: the first or the last `limit` windows that open in the range, oldest first. */
const read = (stored: readonly number[], { fromUs, toUs, direction }: ReturnType<typeof rangeOf>, limit: number) => {
  const inRange = stored.filter((us) => us >= fromUs && us < toUs).map((openTimeUs) => ({ openTimeUs }));
  return direction === 'forward' ? inRange.slice(0, limit) : inRange.slice(-limit);
};

it('shows every window once, page by page, whichever way it goes', () => {
  const windows = fc.uniqueArray(fc.integer({ min: 0, max: 500 }), { maxLength: 40 });
  fc.assert(
    fc.property(windows, fc.integer({ min: 1, max: 45 }), fc.boolean(), (opened, limit, isForward) => {
      const stored = opened.toSorted((a, b) => a - b);
      const pages: number[][] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const page = { ...rangeOf({ ...(isForward && { from: 0 }), ...(cursor !== '' && { cursor }) }), limit };
        const { items, nextUs } = cutWindows(read(stored, page, limit + 1), page);
        pages.push(items.map(({ openTimeUs }) => openTimeUs));
        cursor = cursorAt(nextUs);
      }
      expect((isForward ? pages : pages.toReversed()).flat()).toEqual(stored);
      expect(pages.length).toBe(Math.max(1, Math.ceil(stored.length / limit)));
    }),
  );
});

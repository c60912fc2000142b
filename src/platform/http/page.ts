import { badParameter } from '../errors/index.js';
import { YEAR_9999_US } from './instant.decorator.js';
import type { RangeQuery } from './market-query.dto.js';

/** An opaque cursor of a list: what the next page starts after. */
export const encodeCursor = (position: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(position)).toString('base64url');

/** Reads a cursor made by encodeCursor with `length` parts; throws the problem for `cursor` when it is none. */
export function decodeCursor(cursor: string, length: number): (string | number)[] {
  try {
    const position = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
    const sound =
      Array.isArray(position) &&
      position.length === length &&
      position.every((part) => typeof part === 'string' || Number.isSafeInteger(part));
    if (sound) return position as (string | number)[];
  } catch {
    // falls through to the one answer for every malformed cursor
  }
  throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
}

export type PageRange = Readonly<{ fromUs: number; toUs: number; direction: 'forward' | 'backward' }>;

/**
 * The stretch that a page over time is taken from, whose cursor is the instant it goes on at: forward from `from`, or
 * backward from `to`. Throws the problem for `from` or `cursor`.
 */
export function rangeOf({ from, to, cursor }: RangeQuery): PageRange {
  const direction = from === undefined ? 'backward' : 'forward';
  if (from !== undefined && to !== undefined && from >= to) throw badParameter('from', 'must be before to');
  const fromUs = Math.max(0, from ?? 0); // before 1970 nothing was traded
  const toUs = Math.max(0, to ?? YEAR_9999_US); // a venue's clock may run ahead of ours
  if (cursor === undefined) return { fromUs, toUs, direction };
  const [edgeUs] = decodeCursor(cursor, 1);
  if (typeof edgeUs !== 'number' || edgeUs < 0)
    throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return direction === 'forward'
    ? { fromUs: Math.max(fromUs, edgeUs), toUs, direction }
    : { fromUs, toUs: Math.min(toUs, edgeUs), direction };
}

type Cut = Readonly<{ direction: PageRange['direction']; limit: number }>;

/**
 * What a page shows of the items that were read for it, oldest first and one more than its limit: that one only tells that
 * there is another page. `edge` is the item which that page lies beyond, undefined when there is none.
 */
export function cut<Item>(
  found: readonly Item[],
  { direction, limit }: Cut,
): { items: Item[]; edge: Item | undefined } {
  const items = direction === 'forward' ? found.slice(0, limit) : found.slice(-limit);
  const edge = direction === 'forward' ? items.at(-1) : items[0];
  return { items, edge: found.length > limit ? edge : undefined };
}

/** `cut` of items that open at an instant; `nextUs` is where `rangeOf` goes on. */
export function cutWindows<Item extends Readonly<{ openTimeUs: number }>>(
  found: readonly Item[],
  page: Cut,
): { items: Item[]; nextUs: number | undefined } {
  const { items, edge } = cut(found, page);
  return { items, nextUs: edge && (page.direction === 'forward' ? edge.openTimeUs + 1 : edge.openTimeUs) };
}

/** The cursor that `rangeOf` reads; null beyond the last page. */
export const cursorAt = (nextUs: number | undefined): string | null =>
  nextUs === undefined ? null : encodeCursor([nextUs]);

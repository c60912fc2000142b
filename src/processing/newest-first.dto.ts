import { badParameter } from '../platform/errors/index.js';
import {
  CursorParameter,
  decodeCursor,
  encodeCursor,
  InstantParameter,
  LimitParameter,
} from '../platform/http/index.js';

/** A list in order of (at, id), newest first. */
export class NewestFirstQuery {
  @InstantParameter('`at` at or after.') from?: number;
  @InstantParameter('`at` before.') to?: number;
  @LimitParameter({ most: 500, byDefault: 100 }) limit: number = 100;
  @CursorParameter() cursor?: string;
}

type Place = Readonly<{ atUs: number; id: string }>;

/** What a store is asked for; throws the problem for `from` or `cursor`. */
export function stretchOf({ from, to, cursor }: NewestFirstQuery) {
  if (from !== undefined && to !== undefined && from >= to) throw badParameter('from', 'must be before to');
  return { fromUs: from, toUs: to, before: cursor === undefined ? undefined : placeOf(cursor) };
}

/** The cursor that goes on after the last item of a page; null when there is no more. */
export const cursorAfter = (last: Place | undefined, hasMore: boolean): string | null =>
  last && hasMore ? encodeCursor([last.atUs, last.id]) : null;

function placeOf(cursor: string): Place {
  const [atUs, id] = decodeCursor(cursor, 2);
  if (typeof atUs !== 'number' || !/^\d{1,18}$/.test(String(id)))
    throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return { atUs, id: String(id) };
}

import { badParameter } from '../errors/index.js';

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

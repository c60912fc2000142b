import type { TradeRecord } from '../trade-batch.js';
import { comparePositions, type TradePosition } from '../trade-position.js';

export const HOUR_US = 3_600_000_000;

/** A block as far as it is known without its data. */
export type BlockHead = Readonly<{ id: string; first: TradePosition; last: TradePosition; trades: number }>;

/** How many of the rows are packed next, and the block they go into, if they do not make new ones. */
export type PackingStep = Readonly<{ take: number; into?: BlockHead }>;

/**
 * What to pack next of a series: `rows` are its next loose trades in order, all of the day or as many as one read takes,
 * `heads` the blocks of their hours. Where an hour has blocks already, late trades go into the block in whose place they
 * belong, one block a step; else whole hours make new blocks. So blocks stay in order and do not overlap.
 */
export function nextStep(rows: TradeRecord, isAll: boolean, heads: readonly BlockHead[], most: number): PackingStep {
  const hours = rows.tradedAtUs.map(hourOf);
  const packed = heads.filter(({ first }) => hourOf(first.tradedAtUs) === hours[0]);
  return packed.length > 0 ? lateStep(rows, hours, packed, most) : newStep(hours, isAll, heads);
}

/** Cuts trades into pieces of one hour and at most so many, the pieces of an hour of one size. */
export function pieces(rows: TradeRecord, most: number): TradeRecord[] {
  const cut: TradeRecord[] = [];
  for (let start = 0; start < rows.tradedAtUs.length;) {
    const hour = hourOf(rows.tradedAtUs[start]!);
    let end = start;
    while (end < rows.tradedAtUs.length && hourOf(rows.tradedAtUs[end]!) === hour) end++;
    const parts = Math.ceil((end - start) / most);
    for (let part = 0; part < parts; part++) {
      const [from, to] = [part, part + 1].map((edge) => start + Math.floor(((end - start) * edge) / parts));
      cut.push(slice(rows, from!, to!));
    }
    start = end;
  }
  return cut;
}

/** Both in order; the result is, too. */
export function merge(a: TradeRecord, b: TradeRecord): TradeRecord {
  const merged = { tradeIds: [], prices: [], sizes: [], sides: '', tradedAtUs: [], receivedAtUs: [] } as Mutable;
  for (let [i, j] = [0, 0]; i < a.tradedAtUs.length || j < b.tradedAtUs.length;) {
    const fromA =
      j >= b.tradedAtUs.length ||
      (i < a.tradedAtUs.length && comparePositions(positionAt(a, i), positionAt(b, j)) <= 0);
    const [from, at] = fromA ? [a, i++] : [b, j++];
    merged.tradeIds.push(from.tradeIds[at]!);
    merged.prices.push(from.prices[at]!);
    merged.sizes.push(from.sizes[at]!);
    merged.sides += from.sides.charAt(at);
    merged.tradedAtUs.push(from.tradedAtUs[at]!);
    merged.receivedAtUs.push(from.receivedAtUs[at]!);
  }
  return merged;
}

export function slice(rows: TradeRecord, from: number, to: number): TradeRecord {
  return {
    tradeIds: rows.tradeIds.slice(from, to),
    prices: rows.prices.slice(from, to),
    sizes: rows.sizes.slice(from, to),
    sides: rows.sides.slice(from, to),
    tradedAtUs: rows.tradedAtUs.slice(from, to),
    receivedAtUs: rows.receivedAtUs.slice(from, to),
  };
}

export const positionAt = (rows: TradeRecord, index: number): TradePosition => ({
  tradedAtUs: rows.tradedAtUs[index]!,
  tradeId: rows.tradeIds[index]!,
});

export const isSame = (a: TradeRecord, b: TradeRecord): boolean =>
  a.sides === b.sides &&
  (['tradeIds', 'prices', 'sizes', 'tradedAtUs', 'receivedAtUs'] as const).every(
    (name) => a[name].length === b[name].length && a[name].every((value, index) => value === b[name][index]),
  );

function lateStep(
  rows: TradeRecord,
  hours: readonly number[],
  packed: readonly BlockHead[],
  most: number,
): PackingStep {
  const first = positionAt(rows, 0);
  const before = packed.findLastIndex((head) => comparePositions(head.first, first) <= 0);
  const into = packed[Math.max(0, before)]!;
  const next = packed[Math.max(0, before) + 1];
  const end = hours.findIndex(
    (hour, index) => hour !== hours[0] || (next && comparePositions(positionAt(rows, index), next.first) >= 0),
  );
  const take = end < 0 ? hours.length : end;
  const isBehind = comparePositions(first, into.last) > 0;
  return isBehind && into.trades + take > most ? { take } : { take, into };
}

function newStep(hours: readonly number[], isAll: boolean, heads: readonly BlockHead[]): PackingStep {
  const packedHours = new Set(heads.map(({ first }) => hourOf(first.tradedAtUs)));
  let take = hours.findIndex((hour) => packedHours.has(hour));
  if (take < 0) take = hours.length;
  // the rest of the last hour comes with the next read, unless it alone is more than one read takes
  if (take === hours.length && !isAll && hours.at(-1) !== hours[0]) take = hours.indexOf(hours.at(-1)!);
  return { take };
}

type Mutable = { -readonly [Name in keyof TradeRecord]: TradeRecord[Name] extends readonly (infer T)[] ? T[] : string };

const hourOf = (us: number): number => Math.floor(us / HOUR_US);

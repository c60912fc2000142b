/** One value of an input series; undefined: nothing comes then. `stale`: the feed is lost from then on. */
export type SeriesValue = number | 'stale' | undefined;

const MOST_VALUES = 100_000;
const NUMBER = '-?\\d+(?:\\.\\d+)?';
const STEPS = new RegExp(`^(${NUMBER})([+-]\\d+(?:\\.\\d+)?)?(?:x(\\d+))?$`);

/**
 * promtool's notation, parts apart by spaces: `a`; `a+bxn` and `a-bxn`: a, then n more, each by b larger or smaller; `axn`: a,
 * then n more of it; `_` and `_xn`: nothing, once or n times; `stale`. Throws with the part that is none of these.
 */
export function readSeries(text: string): SeriesValue[] {
  const values: SeriesValue[] = [];
  for (const part of text.trim().split(/\s+/)) {
    values.push(...valuesOf(part));
    if (values.length > MOST_VALUES) throw new Error(`a series has at most ${MOST_VALUES} values`);
  }
  return values;
}

function valuesOf(part: string): SeriesValue[] {
  if (part === 'stale') return ['stale'];
  const missing = /^_(?:x(\d+))?$/.exec(part);
  if (missing) return Array.from({ length: countOf(missing[1] ?? '1') }, () => undefined);
  const [, first, by, more] = STEPS.exec(part) ?? [];
  if (first === undefined || (by !== undefined && more === undefined))
    throw new Error(`${JSON.stringify(part.slice(0, 40))} is none of a, a+bxn, a-bxn, axn, _, _xn, stale`);
  return Array.from({ length: countOf(more ?? '0') + 1 }, (_, index) => exactSum(first, by ?? '0', index));
}

function countOf(text: string): number {
  const count = Number(text);
  if (count > MOST_VALUES) throw new Error(`a series has at most ${MOST_VALUES} values`);
  return count;
}

/** Without what floats add: 0.1+0.1x2 ends with 0.3. */
function exactSum(first: string, by: string, times: number): number {
  const decimals = Math.max(...[first, by].map((one) => one.split('.')[1]?.length ?? 0));
  return Number((Number(first) + Number(by) * times).toFixed(decimals));
}

import type { Subject } from './update-group.js';

/** Symbols of one type: the listed ones, or all but the listed ones. */
type Symbols = Readonly<{ all: boolean; listed: ReadonlySet<string> }>;

/** What one client wants. */
export type Filter = Readonly<{
  symbolsOf: ReadonlyMap<string, Symbols>;
  /** Only this feed; absent: every feed. */
  source?: string;
  /** Only candles of this interval; absent: every interval. */
  window?: string;
}>;

export const SOURCE = /^[a-z0-9-]{1,40}$/;
export const MAX_SYMBOLS = 500;

export const NOTHING: Filter = { symbolsOf: new Map() };

/** No symbols means all of them. */
export const filterFor = (
  types: readonly string[],
  symbols: readonly string[],
  only: Pick<Filter, 'source' | 'window'> = {},
): Filter => subscribed({ ...NOTHING, ...only }, types, symbols);

export function matches({ symbolsOf, source, window }: Filter, subject: Subject): boolean {
  const symbols = symbolsOf.get(subject.type);
  if (!symbols) return false;
  if (source !== undefined && source !== subject.source) return false;
  if (window !== undefined && subject.window !== undefined && window !== subject.window) return false;
  return subject.symbol === undefined || symbols.all !== symbols.listed.has(subject.symbol);
}

/** Equal for filters that want the same. */
export function filterKey({ symbolsOf, source, window }: Filter): string {
  const types = [...symbolsOf].map(
    ([type, { all, listed }]) => `${type}${all ? '!' : '='}${[...listed].sort().join()}`,
  );
  return [...types.sort(), source ?? '*', window ?? '*'].join(' ');
}

export function subscribed(filter: Filter, types: readonly string[], symbols: readonly string[]): Filter {
  return changed(filter, types, (before) => {
    if (symbols.length === 0) return { all: true, listed: new Set<string>() };
    return { all: before.all, listed: before.all ? without(before.listed, symbols) : union(before.listed, symbols) };
  });
}

export function unsubscribed(filter: Filter, types: readonly string[], symbols: readonly string[]): Filter {
  return changed(filter, types, (before) => {
    if (symbols.length === 0) return { all: false, listed: new Set<string>() };
    return { all: before.all, listed: before.all ? union(before.listed, symbols) : without(before.listed, symbols) };
  });
}

/** The longest list of symbols in it. */
export const listedSymbols = (filter: Filter): number =>
  Math.max(0, ...[...filter.symbolsOf.values()].map(({ listed }) => listed.size));

function changed(filter: Filter, types: readonly string[], change: (before: Symbols) => Symbols): Filter {
  const symbolsOf = new Map(filter.symbolsOf);
  for (const type of types) {
    const after = change(symbolsOf.get(type) ?? { all: false, listed: new Set() });
    if (after.all || after.listed.size > 0) symbolsOf.set(type, after);
    else symbolsOf.delete(type);
  }
  return { ...filter, symbolsOf };
}

const union = (set: ReadonlySet<string>, more: readonly string[]): Set<string> => new Set([...set, ...more]);

function without(set: ReadonlySet<string>, less: readonly string[]): Set<string> {
  const left = new Set(set);
  for (const one of less) left.delete(one);
  return left;
}

import { type Rule, watches } from './rule.js';

/** A series, and when its last value that rules were evaluated at came. */
export type HeardSeries = Readonly<{ source: string; symbol: string; lastUs: number }>;

/** What a rule has to look at so far. */
export type Watching = Readonly<{
  series: number;
  lastValueUs: number | undefined;
  /** Symbols that it names and of which nothing ever came, from its source where it names one. */
  unheard: readonly string[];
}>;

export function watchingOf(rule: Rule, heard: ReadonlyMap<string, readonly HeardSeries[]>): Watching {
  const { symbols } = rule;
  const named = symbols === '*' ? [...heard.keys()] : symbols;
  const watched = named.flatMap((symbol) => heard.get(symbol) ?? []).filter((series) => watches(rule, series));
  const known = new Set(watched.map(({ symbol }) => symbol));
  return {
    series: watched.length,
    lastValueUs: watched.reduce<number | undefined>((last, { lastUs }) => Math.max(last ?? lastUs, lastUs), undefined),
    unheard: symbols === '*' ? [] : symbols.filter((symbol) => !known.has(symbol)),
  };
}

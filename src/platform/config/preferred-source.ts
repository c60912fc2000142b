/**
 * Which of the sources that have a symbol answers when a request names none: the first in the order of `FEEDS`, then
 * those that are no longer configured, by name. `undefined` when there is none.
 */
export function preferredSource(sources: readonly string[], feeds: readonly string[]): string | undefined {
  const rank = (source: string): number => {
    const index = feeds.indexOf(source);
    return index < 0 ? feeds.length : index;
  };
  return [...sources].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))[0];
}

/** Inclusive runs of consecutive trade ids. */
export type IdRun = Readonly<{ from: bigint; to: bigint }>;

/** Trade ids in any order, with repeats, to the fewest runs, ascending. */
export function runsOf(ids: readonly string[]): IdRun[] {
  const sorted = BigInt64Array.from(ids, (id) => BigInt(id)).sort();
  const runs: { from: bigint; to: bigint }[] = [];
  for (const id of sorted) {
    const last = runs.at(-1);
    if (last && id <= last.to + 1n) last.to = id;
    else runs.push({ from: id, to: id });
  }
  return runs;
}

/** Runs as a PostgreSQL int8multirange. */
export const multirangeText = (runs: readonly IdRun[]): string => `{${runs.map(({ from, to }) => `[${from},${to}]`).join(',')}}`;

/** Joins holes that lie closer than `within` ids: one request would cover them all. */
export function joinHoles(holes: readonly IdRun[], within: bigint): (IdRun & { missing: bigint })[] {
  const joined: { from: bigint; to: bigint; missing: bigint }[] = [];
  for (const { from, to } of holes) {
    const last = joined.at(-1);
    const missing = to - from + 1n;
    if (last && to - last.from < within) {
      last.to = to;
      last.missing += missing;
    } else joined.push({ from, to, missing });
  }
  return joined;
}

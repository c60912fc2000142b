/** Inclusive runs of consecutive trade ids. */
export type IdRun = Readonly<{ from: bigint; to: bigint }>;

/** Trade ids in any order, with repeats, to the fewest runs, ascending. */
export function runsOf(ids: readonly string[]): IdRun[] {
  // numbers where they are exact, which every venue's ids so far are: six times as fast
  const exact = ids.every((id) => id.length < 16);
  return exact ? runsIn(Float64Array.from(ids, Number).sort()) : runsIn(BigInt64Array.from(ids, BigInt).sort());
}

function runsIn(sorted: Float64Array | BigInt64Array): IdRun[] {
  const runs: IdRun[] = [];
  let from = sorted[0];
  let to = from;
  if (from === undefined || to === undefined) return runs;
  for (const id of sorted) {
    if (id !== to && id !== next(to)) {
      runs.push({ from: BigInt(from), to: BigInt(to) });
      from = id;
    }
    to = id;
  }
  runs.push({ from: BigInt(from), to: BigInt(to) });
  return runs;
}

const next = (id: number | bigint): number | bigint => (typeof id === 'number' ? id + 1 : id + 1n);

/** Runs as a PostgreSQL int8multirange. */
export const multirangeText = (runs: readonly IdRun[]): string =>
  `{${runs.map(({ from, to }) => `[${from},${to}]`).join(',')}}`;

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

/**
 * Ids for the trades of a venue that numbers none: when the frame was received, and the place within it. They rise, they
 * never collide, and a span of time is a run of ids, so that gaps in time are kept as gaps in ids are.
 */
const IDS_A_MICROSECOND = 1000;

/** The id of the trade at `index` of a frame. A frame of more trades than 1,000 runs into the next microsecond. */
export const madeId = (frameAtUs: number, index: number): string =>
  (BigInt(frameAtUs) * BigInt(IDS_A_MICROSECOND) + BigInt(index)).toString();

/** When the frame of a made id was received. */
export const receivedAtUs = (id: bigint): number => Number(id / BigInt(IDS_A_MICROSECOND));

/** A span of time in which nobody listened, as a gap: how many trades it took is unknown. */
export const unheard = (fromUs: number, toUs: number) => ({
  from: BigInt(madeId(fromUs, 0)),
  to: BigInt(madeId(toUs, 0)) - 1n,
  missing: null,
  fromUs,
  toUs,
});

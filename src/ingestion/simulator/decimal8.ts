/** Exact decimals of at most eight places, counted in 10^-8: what the venue prints and what its candles are summed from. */
export function toUnits(text: string): bigint {
  const dot = text.indexOf('.');
  if (dot < 0) return BigInt(text) * 100_000_000n;
  const places = text.length - dot - 1;
  if (places > 8) throw new RangeError(`${text} has more than eight decimals`);
  return BigInt(text.slice(0, dot) + text.slice(dot + 1) + '0'.repeat(8 - places));
}

/** 268380000000n → "2683.80000000" */
export function fromUnits(units: bigint): string {
  const digits = String(units < 0n ? -units : units).padStart(9, '0');
  return `${units < 0n ? '-' : ''}${digits.slice(0, -8)}.${digits.slice(-8)}`;
}

/** A product of two counts of 10^-8, as one; digits behind the eighth are cut. */
export function times(a: bigint, b: bigint): bigint {
  return (a * b) / 100_000_000n;
}

/**
 * Seeded noise that gives the same numbers on every machine and every release of the runtime: 32-bit integer hashes, and
 * of floating point only + - * /, which IEEE 754 fixes to the last bit (Math.exp and Math.sin are not fixed).
 */

/** An evenly spread unsigned 32-bit number of a key and a whole number up to 2^53. */
export function hash(key: number, n: number): number {
  let h = key ^ Math.imul(Math.floor(n / 4294967296), 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) ^ n;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

/** The same as a number of [0, 1). */
export function unit(key: number, n: number): number {
  return hash(key, n) / 4294967296;
}

/** A key for a named part of a seeded whole. */
export function keyOf(seed: number, name: string): number {
  let key = hash(0x51ed270b, seed);
  for (let i = 0; i < name.length; i++) key = hash(key, name.charCodeAt(i));
  return key | 0;
}

/**
 * Continuous noise of [-1, 1] over time: random heights on a lattice `periodUs` wide, joined smoothly. It is a pure
 * function of time; the cell it keeps only saves hashing while time moves within one.
 */
export class Octave {
  private cell = Number.NaN;
  private left = 0;
  private right = 0;
  private readonly phase: number;

  constructor(
    private readonly key: number,
    private readonly periodUs: number,
  ) {
    // lattices of different octaves must not meet, or the sum is flat wherever they do
    this.phase = unit(key, 0x7fffffff);
  }

  at(timeUs: number): number {
    const x = timeUs / this.periodUs + this.phase;
    const cell = Math.floor(x);
    if (cell !== this.cell) {
      this.cell = cell;
      this.left = unit(this.key, cell) * 2 - 1;
      this.right = unit(this.key, cell + 1) * 2 - 1;
    }
    const f = x - cell;
    return this.left + (this.right - this.left) * f * f * (3 - 2 * f);
  }
}

/** e^x for |x| < 4 within 1e-11, of + and * only. */
export function exponential(x: number): number {
  const small = x / 4096;
  let y = 1 + small * (1 + (small / 2) * (1 + (small / 3) * (1 + small / 4)));
  for (let i = 0; i < 12; i++) y *= y;
  return y;
}

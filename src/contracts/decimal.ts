/**
 * Exact decimals as text. Canonical form: digits, at most one point, no exponent, no plus sign, no leading or trailing
 * zeros that carry nothing (`0.5`, `1200`, `-3.07`, `0`), so equal numbers are equal strings.
 */

/** A decimal as an integer count of 10^-scale: `{ units: 10343n, scale: 5 }` is 0.10343. */
export type Exact = { units: bigint; scale: number };

const MOST_DIGITS = 38;
const [POINT, ZERO, NINE, MINUS] = [46, 48, 57, 45];

/** Plain decimal text to canonical text; `undefined` for exponents, signs, blanks, or more than 38 digits a side. */
export function canonicalDecimal(text: string): string | undefined {
  // a scan instead of expressions: this runs for every price and size
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  let point = text.length;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === POINT && point === text.length) point = i;
    else if (!(code >= ZERO && code <= NINE)) return undefined;
  }
  const wholeDigits = point - start;
  const fractionDigits = text.length - point - 1; // -1 without a point
  if (wholeDigits < 1 || wholeDigits > MOST_DIGITS || fractionDigits === 0 || fractionDigits > MOST_DIGITS)
    return undefined;
  let from = start;
  while (from < point - 1 && text.charCodeAt(from) === ZERO) from++;
  let to = text.length;
  if (fractionDigits > 0) {
    while (text.charCodeAt(to - 1) === ZERO) to--;
    if (to - 1 === point) to = point;
  }
  if (start === 0) return from === 0 && to === text.length ? text : text.slice(from, to);
  const value = text.slice(from, to);
  return value === '0' ? '0' : `-${value}`;
}

/** Canonical text to an exact value. */
export function exact(text: string): Exact {
  const point = text.indexOf('.');
  if (point < 0) return { units: BigInt(text), scale: 0 };
  return { units: BigInt(text.slice(0, point) + text.slice(point + 1)), scale: text.length - point - 1 };
}

export const EXACT_ZERO: Exact = { units: 0n, scale: 0 };

const POWERS = Array.from({ length: 80 }, (_, power) => 10n ** BigInt(power));
const rescaled = (value: Exact, scale: number): bigint => value.units * POWERS[scale - value.scale]!;

export function add(a: Exact, b: Exact): Exact {
  if (a.scale === b.scale) return { units: a.units + b.units, scale: a.scale };
  const scale = Math.max(a.scale, b.scale);
  return { units: rescaled(a, scale) + rescaled(b, scale), scale };
}

export const subtract = (a: Exact, b: Exact): Exact => add(a, { units: -b.units, scale: b.scale });

export function multiply(a: Exact, b: Exact): Exact {
  return { units: a.units * b.units, scale: a.scale + b.scale };
}

/** An exact value to canonical text. */
export function decimalText({ units, scale }: Exact): string {
  const negative = units < 0n;
  let digits = (negative ? -units : units).toString();
  if (scale > 0) {
    digits = digits.padStart(scale + 1, '0');
    const fraction = digits.slice(-scale).replace(/0+$/, '');
    digits = digits.slice(0, -scale) + (fraction === '' ? '' : `.${fraction}`);
  }
  return negative && digits !== '0' ? `-${digits}` : digits;
}

/** `a / b` rounded half up to `scale` decimals, canonical text; throws RangeError when `b` is zero. */
export function quotientText(a: Exact, b: Exact, scale: number): string {
  if (b.units === 0n) throw new RangeError('division by zero');
  const numerator = a.units * POWERS[b.scale]! * POWERS[scale]! * 2n;
  const denominator = b.units * POWERS[a.scale]!;
  const doubled = numerator / denominator;
  const half = doubled < 0n ? -1n : 1n;
  return decimalText({ units: (doubled + half) / 2n, scale });
}

/** Orders canonical non-negative decimals without computing: by length of the whole part, then as text. */
export function comparePositive(a: string, b: string): number {
  const wholeA = a.indexOf('.');
  const wholeB = b.indexOf('.');
  const longer = (wholeA < 0 ? a.length : wholeA) - (wholeB < 0 ? b.length : wholeB);
  return longer !== 0 ? longer : a < b ? -1 : a > b ? 1 : 0;
}

const FAST_SCALE = 8;
const FAST_POWERS = Array.from({ length: FAST_SCALE + 1 }, (_, power) => 10 ** power);

/** Non-negative canonical decimals with up to 8 decimals as a safe integer of 10^-8, else undefined. */
function fastUnits(text: string): number | undefined {
  if (text.length > 16) return undefined;
  let units = 0;
  let point = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) point = i;
    else if (code < 48) return undefined;
    else units = units * 10 + code - 48;
  }
  const scale = point < 0 ? 0 : text.length - point - 1;
  if (scale > FAST_SCALE) return undefined;
  units *= FAST_POWERS[FAST_SCALE - scale]!;
  return Number.isSafeInteger(units) ? units : undefined;
}

/** An exact running sum; numbers of usual magnitude take a quick way to the same digits. */
export class DecimalSum {
  private total: Exact = EXACT_ZERO;
  private fast = 0n;

  constructor(
    /** 1 for a sum of decimals, 2 for a sum of products of two. */
    private readonly factors: 1 | 2 = 1,
  ) {}

  add(value: Addend): void {
    if (typeof value === 'bigint') this.fast += value;
    else this.total = add(this.total, value);
  }

  get value(): Exact {
    return add(this.total, { units: this.fast, scale: FAST_SCALE * this.factors });
  }
}

/** What DecimalSum adds: a bigint of 10^-8 (10^-16 for a product), or, where that does not hold it, an exact value. */
export type Addend = bigint | Exact;

/** A canonical non-negative decimal, and its product with another, for sums of one and of two factors. */
export function addends(size: string, price: string): { size: Addend; product: Addend } {
  const [left, right] = [fastUnits(size), fastUnits(price)];
  if (left === undefined || right === undefined)
    return { size: exact(size), product: multiply(exact(size), exact(price)) };
  const units = BigInt(left);
  return { size: units, product: units * BigInt(right) };
}

import { type ByteReader, type ByteWriter, UnreadableBlock } from './byte-stream.js';
import { readIntegers, writeIntegers } from './integer-column.js';

/** So many digits stay exact in a number, and in the differences of such numbers. */
const MOST_DIGITS = 15;
const [POINT, ZERO, NINE, MINUS] = [46, 48, 57, 45];

/** The decimals of a column; their texts are made when asked for. */
export type DecimalColumn = Readonly<{ text(index: number): string }>;

/**
 * Writes canonical decimals as integers of one scale: the one that holds most of them in 15 digits. Those it does not
 * hold, as `numeric` has no bound, are written as their own text, and the integers repeat the one before.
 */
export function writeDecimals(to: ByteWriter, texts: readonly string[]): void {
  const scale = bestScale(texts);
  const units = new Float64Array(texts.length);
  const apart: number[] = [];
  let before = 0;
  texts.forEach((text, index) => {
    const exact = unitsOf(text, scale);
    if (exact === undefined) apart.push(index);
    else before = exact;
    units[index] = before;
  });
  to.unsigned(scale);
  to.unsigned(apart.length);
  let last = 0;
  for (const index of apart) {
    to.unsigned(index - last);
    to.ascii(texts[index]!);
    last = index;
  }
  writeIntegers(to, units);
}

/** Reads `length` decimals; throws UnreadableBlock. */
export function readDecimals(from: ByteReader, length: number): DecimalColumn {
  const scale = from.unsigned();
  if (scale > MOST_DIGITS) throw new UnreadableBlock('a scale in it is too large');
  const apart = new Map<number, string>();
  let index = 0;
  for (let left = from.unsigned(); left > 0; left--) {
    index += from.unsigned();
    apart.set(index, from.ascii());
  }
  const units = readIntegers(from, length);
  return { text: (at) => apart.get(at) ?? decimalText(units[at]!, scale) };
}

function bestScale(texts: readonly string[]): number {
  // how many decimals have so many digits before and behind the point
  const shapes = new Uint32Array((MOST_DIGITS + 1) * (MOST_DIGITS + 1));
  for (const text of texts) {
    const start = text.charCodeAt(0) === MINUS ? 1 : 0;
    const point = text.indexOf('.');
    const wholeEnd = point < 0 ? text.length : point;
    const whole = text.charCodeAt(start) === ZERO ? 0 : wholeEnd - start;
    const fraction = point < 0 ? 0 : text.length - point - 1;
    if (whole + fraction <= MOST_DIGITS) shapes[whole * (MOST_DIGITS + 1) + fraction]!++;
  }
  let [best, most] = [0, -1];
  for (let scale = 0; scale <= MOST_DIGITS; scale++) {
    let held = 0;
    for (let whole = 0; whole + scale <= MOST_DIGITS; whole++)
      for (let fraction = 0; fraction <= scale; fraction++) held += shapes[whole * (MOST_DIGITS + 1) + fraction]!;
    if (held > most) [best, most] = [scale, held];
  }
  return best;
}

/** The decimal as a count of 10^-scale; undefined where 15 digits do not hold it, or it is none (`NaN`). */
function unitsOf(text: string, scale: number): number | undefined {
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  let units = 0;
  let digits = 0;
  let fraction = -1;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === POINT) {
      fraction = 0;
      continue;
    }
    if (code < ZERO || code > NINE) return undefined;
    units = units * 10 + code - ZERO;
    if (units > 0) digits++;
    if (fraction >= 0) fraction++;
  }
  const missing = scale - Math.max(0, fraction);
  if (missing < 0 || digits + missing > MOST_DIGITS) return undefined;
  return (start === 1 ? -units : units) * 10 ** missing;
}

function decimalText(units: number, scale: number): string {
  if (scale === 0 || units === 0) return String(units);
  const digits = String(Math.abs(units)).padStart(scale + 1, '0');
  const point = digits.length - scale;
  let end = digits.length;
  while (end > point && digits.charCodeAt(end - 1) === ZERO) end--;
  const text = end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`;
  return units < 0 ? `-${text}` : text;
}

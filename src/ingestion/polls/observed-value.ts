import { decimalOfNumber } from '../connectors/exact-json.js';

/** A JSON number, or text of one, as canonical decimal above zero; `undefined` when it is none. Exponents are written out. */
export function observedValue(value: unknown): string | undefined {
  const decimal = typeof value === 'string' ? decimalOfNumber(value) : undefined;
  return decimal === '0' || decimal?.startsWith('-') ? undefined : decimal;
}

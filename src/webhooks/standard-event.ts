import { type Json, parseInstant } from '../contracts/index.js';
import type { Normalised } from './normalised.js';

const MOST_FIELDS = 20;
const MOST_TEXT = 300;
/** As many as the filter of the list takes. */
const MOST_TYPE = 100;

/**
 * A payload of Standard Webhooks 1.0.0, `{"type","timestamp","data"}`, in the shape that all webhooks are brought to. Plain
 * values of `data` become fields, the first 20; the rest stays in the stored payload.
 */
export function standardEvent(payload: Readonly<Record<string, unknown>>, receivedAtUs: number): Normalised {
  const { type, timestamp } = payload;
  return {
    type: text(type)?.slice(0, MOST_TYPE).toWellFormed() ?? 'unknown',
    action: null,
    repository: null,
    actor: null,
    ref: null,
    number: null,
    url: null,
    fields: plainOf(payload.data),
    atUs: (typeof timestamp === 'string' ? parseInstant(timestamp) : undefined) ?? receivedAtUs,
  };
}

function plainOf(data: unknown): Record<string, Json> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return {};
  const fields: [string, Json][] = [];
  for (const [name, value] of Object.entries(data)) {
    const plain = typeof value === 'number' || typeof value === 'boolean' ? value : text(value);
    if (plain !== null) fields.push([text(name) ?? 'unnamed', plain]);
    if (fields.length === MOST_FIELDS) break;
  }
  return Object.fromEntries(fields);
}

function text(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return value.slice(0, MOST_TEXT).replaceAll('\0', '\u2400').toWellFormed();
}

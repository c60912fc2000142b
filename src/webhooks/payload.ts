import { githubEvent } from './github-event.js';
import type { Normalised } from './normalised.js';
import { standardEvent } from './standard-event.js';

export const GITHUB = 'github';

/** V8 quotes what it could not read: PostgreSQL's text can hold neither U+0000 nor half of a pair. */
const printable = (text: string): string => text.slice(0, 500).replaceAll('\0', '\u2400').toWellFormed();

/**
 * What the body of a delivery says: JSON, or the field `payload` of a form, as GitHub sends when a hook is set to it.
 * A body that holds no JSON object is told as a fault.
 */
export function readPayload(
  source: string,
  type: string,
  contentType: string,
  body: string,
  receivedAtUs: number,
): Normalised | Readonly<{ fault: string }> {
  const isForm = contentType.toLowerCase().startsWith('application/x-www-form-urlencoded');
  const json = isForm ? new URLSearchParams(body).get('payload') : body;
  if (json === null) return { fault: 'The form has no field payload' };
  let payload: unknown;
  try {
    payload = JSON.parse(json);
  } catch (error) {
    return { fault: `The payload is not JSON: ${printable((error as Error).message)}` };
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    return { fault: 'The payload is not a JSON object' };
  const row = payload as Record<string, unknown>;
  return source === GITHUB ? githubEvent(type, row, receivedAtUs) : standardEvent(row, receivedAtUs);
}

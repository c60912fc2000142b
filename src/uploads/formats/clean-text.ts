import type { Json } from '../../contracts/index.js';
import type { LogLine } from './format.js';

const REPLACEMENT = '\uFFFD';

/** A value in which nothing is left that PostgreSQL refuses, and how many characters became U+FFFD for it. */
export type Cleaned<T> = Readonly<{ value: T; replaced: number }>;

/** U+0000 and each half of a surrogate pair that stands alone become U+FFFD; a clean text comes back as it is. */
export function cleanText(text: string): Cleaned<string> {
  const hasZero = text.includes('\0');
  if (!hasZero && text.isWellFormed()) return { value: text, replaced: 0 };
  const whole = text.toWellFormed();
  let replaced = 0;
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) === 0 || text.charCodeAt(at) !== whole.charCodeAt(at)) replaced++;
  return { value: hasZero ? whole.replaceAll('\0', REPLACEMENT) : whole, replaced };
}

/** All texts and keys of a value. Its depth is bounded by what read it. */
export function cleanJson(json: Json): Cleaned<Json> {
  if (typeof json === 'string') return cleanText(json);
  if (typeof json !== 'object' || json === null) return { value: json, replaced: 0 };
  if (Array.isArray(json)) return cleanList(json as readonly Json[]);
  return cleanObject(json as Readonly<Record<string, Json>>);
}

function cleanList(list: readonly Json[]): Cleaned<readonly Json[]> {
  const items = list.map(cleanJson);
  const replaced = items.reduce((sum, item) => sum + item.replaced, 0);
  return { value: replaced === 0 ? list : items.map(({ value }) => value), replaced };
}

function cleanObject(object: Readonly<Record<string, Json>>): Cleaned<Readonly<Record<string, Json>>> {
  const entries = Object.entries(object).map(([key, value]) => [cleanText(key), cleanJson(value)] as const);
  const replaced = entries.reduce((sum, [key, value]) => sum + key.replaced + value.replaced, 0);
  if (replaced === 0) return { value: object, replaced };
  // fromEntries makes own properties, of `__proto__` too
  return { value: Object.fromEntries(entries.map(([key, value]) => [key.value, value.value])), replaced };
}

/** Of an event, all that is text. To be called before it becomes JSON: there an escaped U+0000 is out of reach. */
export function cleanEvent(event: LogLine): Cleaned<LogLine> {
  const message = cleanText(event.message);
  const fields = cleanObject(event.fields);
  const traceId = event.traceId === undefined ? undefined : cleanText(event.traceId);
  const replaced = message.replaced + fields.replaced + (traceId?.replaced ?? 0);
  if (replaced === 0) return { value: event, replaced };
  return {
    value: {
      ...event,
      message: message.value,
      fields: fields.value,
      ...(traceId === undefined ? {} : { traceId: traceId.value }),
    },
    replaced,
  };
}

import type { Json, LogLevel } from '../../contracts/index.js';
import type { LogLine, ReadOptions } from './format.js';
import { levelOfNumber, levelOfPython, levelOfTelemetry, levelOfWord } from './levels.js';
import { timeOfValue } from './timestamps.js';

type Role = 'level' | 'time' | 'message' | 'traceId';

/** Names of keys, in any case, the most telling first. */
const KEYS: Readonly<Record<Role, string>> = {
  level:
    'level severity lvl levelname log.level loglevel log_level severity_text severitytext @l priority levelno ' +
    'level_value severity_number severitynumber at s',
  time:
    'time timestamp ts @timestamp date datetime asctime eventtime event_time @t t __realtime_timestamp ' +
    '_source_realtime_timestamp',
  message: 'msg message event text @m @mt short_message log body',
  traceId: 'trace_id traceid trace.id dd.trace_id oteltraceid logging.googleapis.com/trace',
};
/** Objects of which one member has a role: `{"log": {"level": "info"}}` is `log.level`. */
const MEMBERS = new Map([
  ['log', 'level'],
  ['trace', 'id'],
  ['dd', 'trace_id'],
]);
const LONGEST_KEY = 32;
const LONGEST_TRACE_ID = 128;

type Place = Readonly<{ role: Role; rank: number }>;
const PLACES = new Map(
  Object.entries(KEYS).flatMap(([role, keys]) =>
    keys.split(' ').map((key, rank): [string, Place] => [key, { role: role as Role, rank }]),
  ),
);

const placeOf = (key: string): Place | undefined =>
  PLACES.get(key) ?? (key.length <= LONGEST_KEY ? PLACES.get(key.toLowerCase()) : undefined);

/** Whether a key is one by which level, time, message or trace id usually go. */
export const isUsualKey = (key: string): boolean => placeOf(key) !== undefined;

export type Entry = readonly [key: string, value: Json];

/**
 * Keys and values in the order of the line to an event. Level, time, message and trace id are found under their usual
 * names; an entry that is none of them, or whose value cannot be read as one, stays a field. A key that comes twice is a
 * list. Where nothing is a message, the error's is, else the line itself.
 */
export function eventOf(entries: readonly Entry[], line: string, options: ReadOptions): LogLine {
  const { time, level, message, traceId } = rolesIn(entries, options);
  const used = new Set([time?.index, level?.index, message?.index, traceId?.index]);
  const fields = fieldsOf(entries.filter((_, index) => !used.has(index)));
  return {
    ...(time === undefined ? {} : { atUs: time.read as number }),
    ...(level === undefined ? {} : { level: level.read as LogLevel }),
    message: message === undefined ? (messageOfError(fields) ?? line.trim()) : (message.read as string),
    fields,
    ...(traceId === undefined ? {} : { traceId: traceId.read as string }),
  };
}

type Found = Readonly<{ read: string | number; rank: number; index: number }>;
/** Of a member of an object: no entry to leave out of the fields. */
const NO_ENTRY = -1;

function rolesIn(entries: readonly Entry[], options: ReadOptions): Partial<Record<Role, Found>> {
  const found: Partial<Record<Role, Found>> = {};
  const consider = (key: string, value: Json, index: number): void => {
    const place = placeOf(key);
    if (place === undefined || (found[place.role]?.rank ?? Infinity) <= place.rank) return;
    const read = READ[place.role](value, options, key);
    if (read !== undefined) found[place.role] = { read, rank: place.rank, index };
  };
  entries.forEach(([key, value], index) => {
    consider(key, value, index);
    const member = MEMBERS.get(key);
    const inner = member === undefined ? undefined : memberOf(value, member);
    if (inner !== undefined) consider(`${key}.${member}`, inner, NO_ENTRY);
  });
  return found;
}

const READ: Readonly<Record<Role, (value: Json, options: ReadOptions, key: string) => string | number | undefined>> = {
  level: (value, _options, key) => levelOfValue(value, key.toLowerCase()),
  // MongoDB's extended JSON wraps its times
  time: (value, options) => timeOfValue(memberOf(value, '$date') ?? value, options),
  message: (value) => (typeof value === 'string' && value.trim() !== '' ? value.trimEnd() : undefined),
  traceId: (value) => traceIdOf(value),
};

function levelOfValue(value: Json, key: string): LogLevel | undefined {
  if (typeof value === 'string') {
    const level = levelOfWord(value.trim());
    if (level !== undefined || !/^\d{1,5}$/.test(value)) return level;
  } else if (typeof value !== 'number') return undefined;
  const number = Number(value);
  if (key === 'levelno') return levelOfPython(number);
  return key.startsWith('severity') && key.endsWith('number') ? levelOfTelemetry(number) : levelOfNumber(number);
}

/** Google's are paths: `projects/p/traces/0af7651916cd43dd8448eb211c80319c`. */
function traceIdOf(value: Json): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value);
  const id = text.slice(text.lastIndexOf('/') + 1);
  return id === '' || id.length > LONGEST_TRACE_ID ? undefined : id;
}

function memberOf(value: Json, key: string): Json | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key))
    return undefined;
  return (value as Readonly<Record<string, Json>>)[key];
}

function fieldsOf(entries: readonly Entry[]): Readonly<Record<string, Json>> {
  const values = new Map<string, Json>();
  const lists = new Map<string, Json[]>();
  for (const [key, value] of entries) {
    const list = lists.get(key);
    if (list !== undefined) list.push(value);
    else if (values.has(key)) lists.set(key, [values.get(key)!, value]);
    else values.set(key, value);
  }
  for (const [key, list] of lists) values.set(key, list);
  // fromEntries makes own properties, of `__proto__` too
  return Object.fromEntries(values);
}

function messageOfError(fields: Readonly<Record<string, Json>>): string | undefined {
  for (const key of ['error', 'err', 'exception']) {
    const error = Object.hasOwn(fields, key) ? fields[key]! : undefined;
    const text = error === undefined ? undefined : (memberOf(error, 'message') ?? error);
    if (typeof text === 'string' && text.trim() !== '') return text.trimEnd();
  }
  return undefined;
}

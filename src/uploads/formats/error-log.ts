import type { Json, LogLevel } from '../../contracts/index.js';
import { accessLog } from './access-log.js';
import { bad, type LineFormat, NOTHING, type Reading, type ReadOptions } from './format.js';
import { levelOfWord } from './levels.js';
import { instantOf, leadingStamp, type Stamp } from './timestamps.js';

type ErrorLogMemory = { hasEvent?: true };

/**
 * `2024/08/09 00:05:04 [error] 31#32: *90 message, client: 192.0.2.1, server: a.example, request: "GET / HTTP/1.1", …`. A line
 * without a time belongs to the one before: what PHP says over FastCGI has several.
 */
export const nginxError: LineFormat<ErrorLogMemory> = {
  name: 'nginx-error',
  yields: 'events',
  begin: () => ({}),
  read: (text, memory, options) => readOrFold(text, memory, isNginxStart(text), () => nginxIn(text, options)),
  likeness: (text) => (isNginxStart(text) && nginxIn(text, ANY).kind === 'event' ? 0.95 : 0),
};

/**
 * `[Fri Aug 09 00:05:04.123456 2024] [core:error] [pid 31:tid 32] [client 192.0.2.1:58910] AH00124: message, referer: …` of
 * 2.4, and `[Fri Aug 09 00:05:04 2024] [error] [client 192.0.2.1] message` of 2.2.
 */
export const apacheError: LineFormat<ErrorLogMemory> = {
  name: 'apache-error',
  yields: 'events',
  begin: () => ({}),
  read: (text, memory, options) => readOrFold(text, memory, isApacheStart(text), () => apacheIn(text, options)),
  likeness: (text) => (isApacheStart(text) && apacheIn(text, ANY).kind === 'event' ? 0.95 : 0),
};

const ANY: ReadOptions = { receivedAtUs: 0, offsetMinutes: 0 };

function readOrFold(text: string, memory: ErrorLogMemory, isStart: boolean, read: () => Reading): Reading {
  if (text.trim() === '') return NOTHING;
  // a container tells both its logs in one
  if (!isStart && memory.hasEvent && accessLog.likeness(text) === 0)
    return { kind: 'continuation', text: text.trimEnd() };
  const reading = read();
  if (reading.kind === 'event') memory.hasEvent = true;
  return reading;
}

const isNginxStart = (text: string): boolean => /^\d{4}\/\d\d\/\d\d /.test(text.slice(0, 11));
const isApacheStart = (text: string): boolean => text[0] === '[' && leadingStamp(text, 1) !== undefined;

function nginxIn(text: string, options: ReadOptions): Reading {
  const stamp = isNginxStart(text) ? leadingStamp(text) : undefined;
  if (stamp === undefined) return bad('it does not begin with a time such as 2024/08/09 00:05:04', 1);
  const level = levelAt(text, stamp.end + 1);
  if (text[stamp.end] !== ' ' || level === undefined) return bad('there is no [level] behind the time', stamp.end + 1);
  const ids = /^ (\d{1,10})#(\d{1,10}): (?:\*(\d{1,20}) )?/.exec(text.slice(level.end, level.end + 50));
  if (ids === null) return bad('there is no process#thread: behind the level', level.end + 1);
  const [all, pid = '', tid = '', connection] = ids;
  const { message, fields } = contextIn(text.slice(level.end + all.length));
  const told = { pid, tid, ...(connection === undefined ? {} : { connection }), ...fields };
  return event({ stamp, level: level.level, message, fields: told }, options);
}

type Told = Readonly<{ stamp: Stamp; level: LogLevel; message: string; fields: Readonly<Record<string, Json>> }>;

function event({ stamp, level, message, fields }: Told, options: ReadOptions): Reading {
  const atUs = instantOf(stamp, options, {});
  return { kind: 'event', event: { ...(atUs === undefined ? {} : { atUs }), level, message, fields } };
}

const LONGEST_BRACKET = 256;

/** What a bracket at this place holds, without it. */
function bracketAt(text: string, at: number): { inner: string; end: number } | undefined {
  if (text[at] !== '[') return undefined;
  const close = text.slice(at, at + LONGEST_BRACKET).indexOf(']');
  return close < 0 ? undefined : { inner: text.slice(at + 1, at + close), end: at + close + 1 };
}

/** Of `[error]`, or Apache's `[core:error]` and `[:error]`. */
function levelAt(text: string, at: number): { level: LogLevel; module?: string; end: number } | undefined {
  const bracket = bracketAt(text, at);
  if (bracket === undefined) return undefined;
  const colon = bracket.inner.lastIndexOf(':');
  const level = levelOfWord(bracket.inner.slice(colon + 1));
  const module = bracket.inner.slice(0, Math.max(colon, 0));
  return level && { level, end: bracket.end, ...(module === '' ? {} : { module }) };
}

/** What nginx says of the request behind its message, by how it calls it. */
const CONTEXT = new Map([
  ['client: ', 'client'],
  ['server: ', 'server'],
  ['login: ', 'login'],
  ['request: ', 'request'],
  ['subrequest: ', 'subrequest'],
  ['upstream: ', 'upstream'],
  ['host: ', 'host'],
  ['referrer: ', 'referer'],
  ['bytes from/to client:', 'clientBytes'],
  ['bytes from/to upstream:', 'upstreamBytes'],
]);
const LONGEST_KEY = 24;

/** Message and context part where one of its names follows a comma that is in no quotes. */
function contextIn(text: string): { message: string; fields: Record<string, string> } {
  const fields: Record<string, string> = {};
  let [message, name, from] = [text, '', 0];
  const take = (end: number): void => {
    if (name === '') message = text.slice(0, end);
    else fields[name] = unquoted(text.slice(from, end));
  };
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    // what a client sent is in quotes as it came, with quotes of its own
    if (text[at] === '"') isQuoted = !isQuoted || (name !== '' && !isPartEnd(text, at + 1));
    if (isQuoted || text[at] !== ',' || text[at + 1] !== ' ') continue;
    const key = keyAt(text, at + 2);
    const next = key === undefined ? undefined : CONTEXT.get(key);
    if (next === undefined || next === name || next in fields) continue;
    take(at);
    [name, from] = [next, at + 2 + key!.length];
  }
  take(text.length);
  return { message, fields };
}

const isPartEnd = (text: string, at: number): boolean =>
  at === text.length || (text.startsWith(', ', at) && keyAt(text, at + 2) !== undefined);

function keyAt(text: string, at: number): string | undefined {
  const slice = text.slice(at, at + LONGEST_KEY);
  const colon = slice.indexOf(':') + 1;
  return [slice.slice(0, colon + 1), slice.slice(0, colon)].find((key) => CONTEXT.has(key));
}

const unquoted = (text: string): string =>
  text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;

function apacheIn(text: string, options: ReadOptions): Reading {
  const stamp = text[0] === '[' ? leadingStamp(text, 1) : undefined;
  if (stamp === undefined || text[stamp.end] !== ']') return bad('it does not begin with a [time]', 1);
  const level = levelAt(text, stamp.end + 2);
  if (text[stamp.end + 1] !== ' ' || level === undefined)
    return bad('there is no [level] or [module:level] behind the time', stamp.end + 2);
  const { fields, message } = apacheMessage(text, level.end);
  const { module } = level;
  return event(
    { stamp, level: level.level, message, fields: { ...(module === undefined ? {} : { module }), ...fields } },
    options,
  );
}

const REFERER = ', referer: ';

/** Process, client and referer leave the message; the system's own error, which stands before the client, does not. */
function apacheMessage(text: string, from: number): { fields: Record<string, Json>; message: string } {
  const fields: Record<string, Json> = {};
  let at = groupsEnd(text, from, fields);
  const before = /^(?:[\w./-]{1,64}\(\d{1,6}\): )?(?:\(\d{1,10}\)[^:[\]]{1,120}: )?/.exec(text.slice(at, at + 260))![0];
  const behind = before === '' ? at : groupsEnd(text, at + before.length - 1, fields);
  const isBefore = before !== '' && behind > at + before.length;
  if (isBefore) at = behind;
  const message = (isBefore ? before : '') + text.slice(at);
  const code = /^AH\d{5}(?=:)/.exec(message.slice(before.length, before.length + 8))?.[0];
  if (code !== undefined) fields['code'] = code;
  const referer = fields['client'] === undefined ? -1 : message.lastIndexOf(REFERER);
  if (referer < 0) return { fields, message };
  fields['referer'] = message.slice(referer + REFERER.length);
  return { fields, message: message.slice(0, referer) };
}

/** The port behind an address of IPv6 is told from its last part by the process: 2.4 tells both, 2.2 neither. */
const tellsPorts = (fields: Readonly<Record<string, Json>>): boolean => fields['pid'] !== undefined;

/** Takes ` [pid …]`, ` [tid …]`, ` [client …]` and ` [remote …]`; another bracket belongs to the message. */
function groupsEnd(text: string, from: number, fields: Record<string, Json>): number {
  let at = from;
  for (let count = 0; text[at] === ' ' && count < 4; count++) {
    const bracket = bracketAt(text, at + 1);
    const group = bracket && groupOf(bracket.inner, tellsPorts(fields));
    if (group === undefined) return at + 1;
    Object.assign(fields, group);
    at = bracket!.end;
  }
  return text[at] === ' ' ? at + 1 : at;
}

function groupOf(inner: string, hasPort: boolean): Record<string, string> | undefined {
  const ids = /^(?:pid (\d{1,10}))?:?(?:tid (\d{1,20}))?$/.exec(inner);
  if (ids !== null && inner.length > 1) {
    const [, pid, tid] = ids;
    return { ...(pid === undefined ? {} : { pid }), ...(tid === undefined ? {} : { tid }) };
  }
  const [, side, address = ''] = /^(client|remote) (\S+)$/.exec(inner) ?? [];
  if (side === undefined) return undefined;
  const colon = address.lastIndexOf(':');
  const isAlone = address.indexOf(':') === colon;
  if (colon < 0 || !(isAlone || hasPort) || !/^\d{1,5}$/.test(address.slice(colon + 1))) return { [side]: address };
  return { [side]: address.slice(0, colon), [side === 'client' ? 'port' : 'remotePort']: address.slice(colon + 1) };
}

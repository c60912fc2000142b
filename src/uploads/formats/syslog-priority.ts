import type { LogLevel } from '../../contracts/index.js';
import { levelOfSyslog } from './levels.js';

const FACILITIES = (
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock ' +
  'local0 local1 local2 local3 local4 local5 local6 local7'
).split(' ');
const SEVERITIES = 'emerg alert crit err warning notice info debug'.split(' ');

/** What a line's `<34>` says, and where the text goes on. */
export type Priority = Readonly<{
  level: LogLevel;
  fields: Readonly<{ facility: string; severity: string }>;
  end: number;
}>;

/** `<0>` to `<191>`, without leading zeros; undefined for anything else. */
export function priorityAt(text: string, from: number): Priority | undefined {
  if (text[from] !== '<') return undefined;
  const close = text.slice(from, from + 5).indexOf('>');
  const digits = text.slice(from + 1, from + Math.max(close, 1));
  const value = /^(?:0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : FACILITIES.length * 8;
  const facility = FACILITIES[value >> 3];
  if (facility === undefined) return undefined;
  const severity = value & 7;
  return {
    level: levelOfSyslog(severity),
    fields: { facility, severity: SEVERITIES[severity]! },
    end: from + close + 1,
  };
}

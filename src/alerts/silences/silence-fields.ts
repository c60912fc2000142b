import { type Expectation, MATCHED_FIELDS } from '../rules/rule-body.js';
import { isZone, type Matcher, type Schedule, WEEKDAYS } from './silence.js';

const MOST_MATCHERS = 10;
const NAME = /^[A-Za-z][\w-]{0,39}$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

export const MATCHERS: Expectation = [
  `must be a list of 1 to ${MOST_MATCHERS} matchers such as {"name":"symbol","op":"=","value":"BTC*"}: ` +
    `a name of ${MATCHED_FIELDS.join(', ')} or a label, = or !=, and a value of up to 200 characters in which only the last may be *`,
  areMatchers,
];

export const SCHEDULE: Expectation = [
  'must be such as {"zone":"Europe/Berlin","days":["sat","sun"],"from":"22:00","to":"06:00"}: an IANA zone, days (none: all), two different times, the last up to 24:00',
  isSchedule,
];

export const COMMENT: Expectation = [
  'must be a text of 1 to 500 characters',
  (value) => typeof value === 'string' && value.length > 0 && value.length <= 500 && !/\p{Cc}/u.test(value),
];

export const PERSON: Expectation = [
  'must be a text of 1 to 120 characters',
  (value) => typeof value === 'string' && value.length > 0 && value.length <= 120 && !/\p{Cc}/u.test(value),
];

function areMatchers(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.length <= MOST_MATCHERS && value.every(isMatcher);
}

function isMatcher(matcher: unknown): boolean {
  if (!isObjectOf(matcher, ['name', 'op', 'value'])) return false;
  const { name, op, value } = matcher as Partial<Matcher>;
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    (op === '=' || op === '!=') &&
    typeof value === 'string' &&
    value.length <= 200 &&
    !value.slice(0, -1).includes('*')
  );
}

function isSchedule(schedule: unknown): boolean {
  if (!isObjectOf(schedule, ['zone', 'days', 'from', 'to'])) return false;
  const { zone, days = [], from, to } = schedule as Partial<Schedule>;
  return (
    isZone(zone) &&
    Array.isArray(days) &&
    new Set(days).size === days.length &&
    days.every((day) => (WEEKDAYS as readonly unknown[]).includes(day)) &&
    typeof from === 'string' &&
    TIME.test(from) &&
    typeof to === 'string' &&
    (TIME.test(to) || to === '24:00') &&
    from !== to
  );
}

const isObjectOf = (value: unknown, fields: readonly string[]): value is object =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.keys(value).every((key) => fields.includes(key));

import { type Expectation, isLine, isMatch, isRecord, isZone, must, shown, twice } from '../expectation.js';
import { lasting } from '../rules/rule-body.js';
import { MATCHED_FIELDS, WEEKDAYS } from './silence.js';

const MOST_MATCHERS = 10;
const NAME = /^[A-Za-z][\w-]{0,39}$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

export const MATCHERS: Expectation = (value) => {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_MATCHERS)
    return `must be a list of 1 to ${MOST_MATCHERS} matchers such as {"name":"symbol","op":"=","value":"BTC*"}`;
  for (const [index, matcher] of value.entries()) {
    const fault = faultOfFields(matcher, MATCHER_FIELDS);
    if (fault) return `is wrong at [${index}]${fault.at === '' ? '' : `.${fault.at}`}: ${fault.message}`;
  }
  return undefined;
};

export const SCHEDULE: Expectation = (value) => {
  const fault = faultOfFields(value, SCHEDULE_FIELDS);
  if (fault) return fault.at === '' ? fault.message : `is wrong at ${fault.at}: ${fault.message}`;
  const { from, to } = value as Readonly<Record<string, unknown>>;
  return from === to ? `must have two times, not ${shown(from)} twice; a day is from 00:00 to 24:00` : undefined;
};

export const SILENCE_LENGTH = lasting('1s', '366d');
export const COMMENT = must('must be a line of 1 to 500 characters', isLine(1, 500));
export const PERSON = must('must be a line of 1 to 120 characters', isLine(1, 120));

type Fields = Readonly<Record<string, Expectation>>;

const MATCHER_FIELDS: Fields = {
  name: must(`must be one of ${MATCHED_FIELDS.join(', ')}, or a label`, isMatch(NAME)),
  op: must('must be = or !=', (value) => value === '=' || value === '!='),
  value: must(
    'must be a text of up to 200 characters, of which only the last may be *',
    (value) => typeof value === 'string' && value.length <= 200 && !value.slice(0, -1).includes('*'),
  ),
};

const SCHEDULE_FIELDS: Fields = {
  zone: must('must be an IANA time zone such as Europe/Berlin', isZone),
  days: (value = []) => {
    if (!Array.isArray(value)) return `must be a list out of ${WEEKDAYS.join(', ')}, not ${shown(value)}`;
    const wrong: unknown = value.find((day) => !(WEEKDAYS as readonly unknown[]).includes(day)) ?? twice(value);
    return wrong === undefined
      ? undefined
      : `must be days out of ${WEEKDAYS.join(', ')}, each once, not ${shown(wrong)}`;
  },
  from: must('must be a time from 00:00 to 23:59', isMatch(TIME)),
  to: must('must be a time from 00:00 to 24:00', (value) => isMatch(TIME)(value) || value === '24:00'),
};

/** The first thing that is wrong, and the name of the field it is about. */
function faultOfFields(value: unknown, fields: Fields): Readonly<{ at: string; message: string }> | undefined {
  const names = Object.keys(fields).join(', ');
  if (!isRecord(value)) return { at: '', message: `must be an object of ${names}, not ${shown(value)}` };
  const stray = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  if (stray !== undefined) return { at: '', message: `must be an object of ${names}, without ${shown(stray)}` };
  for (const [at, faultOf] of Object.entries(fields)) {
    const message = faultOf(value[at]);
    if (message !== undefined) return { at, message };
  }
  return undefined;
}

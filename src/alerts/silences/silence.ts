/** A field or label, and what it must be or must not be. A `*` at the end of the value stands for anything. */
export type Matcher = Readonly<{ name: string; op: '=' | '!='; value: string }>;

/** What a silence can match besides labels, so no label may be called so. */
export const MATCHED_FIELDS = ['alert', 'rule', 'source', 'symbol', 'severity'] as const;

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/**
 * Hours of a week as clocks of a zone show them, so also on days on which the zone changes its clocks. A window that
 * ends at or before its start ends on the next day, and belongs to the day it starts on.
 */
export type Schedule = Readonly<{
  /** IANA name. */
  zone: string;
  /** None named: every day. */
  days: readonly Weekday[];
  /** `22:00`; the end, exclusive, may be `24:00`. */
  from: string;
  to: string;
}>;

export type Silence = Readonly<{
  id: string;
  /** All of them must hold. */
  matchers: readonly Matcher[];
  startsAtUs: number;
  endsAtUs: number;
  schedule?: Schedule;
  comment: string;
  createdBy?: string;
  createdAtUs: number;
}>;

/** What matchers look at. */
export type Silenceable = Readonly<{
  alertId: string;
  ruleId: string | null;
  source: string;
  symbol: string;
  severity: string;
  labels: Readonly<Record<string, string>>;
}>;

export const matchesAll = (matchers: readonly Matcher[], alert: Silenceable): boolean =>
  matchers.every((matcher) => matches(matcher, alert));

/** The first silence, by id, that an alert is under at an instant. */
export const silenceOf = (silences: readonly Silence[], alert: Silenceable, atUs: number): Silence | undefined =>
  silences.find((silence) => isInForce(silence, atUs) && matchesAll(silence.matchers, alert));

export const isInForce = ({ startsAtUs, endsAtUs, schedule }: Silence, atUs: number): boolean =>
  startsAtUs <= atUs && atUs < endsAtUs && (schedule === undefined || isScheduled(schedule, atUs));

function matches({ name, op, value }: Matcher, alert: Silenceable): boolean {
  const actual = fieldOf(alert, name);
  const isLike = value.endsWith('*') ? actual.startsWith(value.slice(0, -1)) : actual === value;
  return isLike === (op === '=');
}

/** A label that is not there is the empty text. */
function fieldOf(alert: Silenceable, name: string): string {
  switch (name) {
    case 'alert':
      return alert.alertId;
    case 'rule':
      return alert.ruleId ?? '';
    case 'source':
      return alert.source;
    case 'symbol':
      return alert.symbol;
    case 'severity':
      return alert.severity;
    default:
      return Object.hasOwn(alert.labels, name) ? alert.labels[name]! : '';
  }
}

function isScheduled({ zone, days, from, to }: Schedule, atUs: number): boolean {
  const { weekday, minutes } = clockOf(zone, atUs);
  const [start, end] = [minutesOf(from), minutesOf(to)];
  const isOn = (day: number): boolean => days.length === 0 || days.includes(WEEKDAYS[(day + 7) % 7]!);
  if (start < end) return isOn(weekday) && minutes >= start && minutes < end;
  return (isOn(weekday) && minutes >= start) || (isOn(weekday - 1) && minutes < end);
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

const clocks = new Map<string, Intl.DateTimeFormat>();
const MOST_CLOCKS = 600; // more than there are zones

/** What a clock of the zone shows: weekday from Monday 0, minutes of the day. */
function clockOf(zone: string, atUs: number): { weekday: number; minutes: number } {
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    if (clocks.size >= MOST_CLOCKS) clocks.clear();
    clocks.set(zone, clock);
  }
  const parts = clock.formatToParts(Math.floor(atUs / 1000));
  const part = (type: string): string => parts.find((one) => one.type === type)!.value;
  return {
    weekday: WEEKDAYS.indexOf(part('weekday').toLowerCase() as Weekday),
    minutes: Number(part('hour')) * 60 + Number(part('minute')),
  };
}

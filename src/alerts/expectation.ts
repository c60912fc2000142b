/** What is wrong with a value, in words that go on after the name of its field; undefined when nothing is. */
export type Expectation = (value: unknown) => string | undefined;

/** `expected` goes on after the name of the field, as in `must be a number`. */
export const must =
  (expected: string, holds: (value: unknown) => boolean): Expectation =>
  (value) =>
    holds(value) ? undefined : value === undefined ? expected : `${expected}, not ${shown(value)}`;

export const mustBeOneOf = (values: readonly string[]): Expectation =>
  must(`must be one of ${values.join(', ')}`, (value) => typeof value === 'string' && values.includes(value));

/** A line of so many characters. */
export const isLine =
  (least: number, most: number) =>
  (value: unknown): value is string =>
    typeof value === 'string' && value.length >= least && value.length <= most && !/\p{Cc}/u.test(value);

export const isMatch =
  (pattern: RegExp) =>
  (value: unknown): value is string =>
    typeof value === 'string' && pattern.test(value);

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The first value that stands twice in a list. */
export const twice = (list: readonly unknown[]): unknown => list.find((one, index) => list.indexOf(one) < index);

/** A value of a request, short enough for a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Whether an IANA zone of this name is known here; bare offsets such as `+02:00` are none. */
export function isZone(name: unknown): boolean {
  if (typeof name !== 'string' || !/^[A-Za-z][\w+/-]{0,59}$/.test(name)) return false;
  try {
    return Boolean(new Intl.DateTimeFormat('en-GB', { timeZone: name }));
  } catch {
    return false;
  }
}

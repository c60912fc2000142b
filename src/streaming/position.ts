/**
 * Where a client stands in the durable events: the SSE id. `1234` is the end of event 1234, `1234.7` its update number 7
 * (from 0), given where an event holds several, so that a cut in the middle of one neither loses nor repeats any.
 */
export type Position = Readonly<{ eventId: string; item?: number }>;

const FORM = /^(\d{1,19})(?:\.(\d{1,7}))?$/;
const LARGEST = 2n ** 63n - 1n;

/** `undefined` when it is no id that this stream gives out; `0` is the start of what is kept. */
export function parsePosition(text: string): Position | undefined {
  const match = FORM.exec(text.trim());
  if (!match) return undefined;
  const eventId = BigInt(match[1]!);
  if (eventId > LARGEST) return undefined;
  return match[2] === undefined
    ? { eventId: eventId.toString() }
    : { eventId: eventId.toString(), item: Number(match[2]) };
}

/** The id of update `item` out of `count`. */
export const positionText = (eventId: string, item: number, count: number): string =>
  item === count - 1 ? eventId : `${eventId}.${item}`;

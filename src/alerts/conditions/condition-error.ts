/** What can be wrong with a condition; docs/conditions.md says each in words. */
export const CONDITION_FAULTS = [
  'too-long',
  'too-many-parts',
  'too-deep',
  'unexpected-character',
  'unexpected',
  'unterminated-text',
  'bad-number',
  'unknown-name',
  'unknown-function',
  'wrong-arguments',
  'bad-interval',
  'bad-duration',
  'bad-indicator',
  'bad-series',
  'bad-anomaly',
  'wrong-type',
  'not-a-truth',
  'never-data',
  'no-threshold',
  'threshold-disagrees',
] as const;
export type ConditionFault = (typeof CONDITION_FAULTS)[number];

/** What the text is no condition for, and where. */
export class ConditionError extends Error {
  constructor(
    readonly code: ConditionFault,
    message: string,
    /** The range that is wrong, in UTF-16 units from the start of the text; the end is exclusive. */
    readonly start: number,
    readonly end: number,
    /** What could have stood there. */
    readonly expected?: string,
  ) {
    super(message);
    this.name = 'ConditionError';
  }
}

/** A part of the text. */
export type Range = Readonly<{ start: number; end: number }>;

export const fault = (code: ConditionFault, { start, end }: Range, message: string, expected?: string) =>
  new ConditionError(code, message, start, end, expected);

/** What the evaluation is of. */
export type Subject = Readonly<{ symbol: string; source: string }>;
type Run<T> = (slots: Float64Array, memory: Float64Array, of: Subject) => T;
/** Finite, or NaN: no data. */
export type NumberRun = Run<number>;
/** undefined: no data. */
export type TruthRun = Run<boolean | undefined>;
export type TextRun = Run<string>;

export type Arithmetic = '+' | '-' | '*' | '/' | '%';
export type Ordering = '<' | '<=' | '>' | '>=' | '==' | '!=';

const isFinite = (value: number): boolean => value - value === 0;
const finite = (value: number): number => (isFinite(value) ? value : NaN);

export const slot =
  (at: number): NumberRun =>
  (slots) =>
    finite(slots[at]!);

export const constant =
  <T>(value: T): Run<T> =>
  () =>
    value;

export const ARITHMETIC: Readonly<Record<Arithmetic, (left: NumberRun, right: NumberRun) => NumberRun>> = {
  '+': (left, right) => (s, m, of) => finite(left(s, m, of) + right(s, m, of)),
  '-': (left, right) => (s, m, of) => finite(left(s, m, of) - right(s, m, of)),
  '*': (left, right) => (s, m, of) => finite(left(s, m, of) * right(s, m, of)),
  '/': (left, right) => (s, m, of) => finite(left(s, m, of) / right(s, m, of)),
  '%': (left, right) => (s, m, of) => finite(left(s, m, of) % right(s, m, of)),
};

export const negative =
  (of: NumberRun): NumberRun =>
  (s, m, subject) =>
    -of(s, m, subject);

export const absolute =
  (of: NumberRun): NumberRun =>
  (s, m, subject) =>
    Math.abs(of(s, m, subject));

/** Math.min and Math.max answer NaN where one is NaN, as it must be. */
export const least =
  (left: NumberRun, right: NumberRun): NumberRun =>
  (s, m, of) =>
    Math.min(left(s, m, of), right(s, m, of));

export const greatest =
  (left: NumberRun, right: NumberRun): NumberRun =>
  (s, m, of) =>
    Math.max(left(s, m, of), right(s, m, of));

export const COMPARE: Readonly<Record<Ordering, (left: NumberRun, right: NumberRun) => TruthRun>> = {
  '<': (left, right) => (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a !== a || b !== b ? undefined : a < b;
  },
  '<=': (left, right) => (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a !== a || b !== b ? undefined : a <= b;
  },
  '>': (left, right) => (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a !== a || b !== b ? undefined : a > b;
  },
  '>=': (left, right) => (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a !== a || b !== b ? undefined : a >= b;
  },
  '==': (left, right) => (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a !== a || b !== b ? undefined : a === b;
  },
  '!=': (left, right) => (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a !== a || b !== b ? undefined : a !== b;
  },
};

/** An input against a constant, which most conditions are made of: one call instead of three. */
export const COMPARE_SLOT: Readonly<Record<Ordering, (at: number, value: number) => TruthRun>> = {
  '<': (at, value) => (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is < value : undefined;
  },
  '<=': (at, value) => (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is <= value : undefined;
  },
  '>': (at, value) => (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is > value : undefined;
  },
  '>=': (at, value) => (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is >= value : undefined;
  },
  '==': (at, value) => (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is === value : undefined;
  },
  '!=': (at, value) => (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is !== value : undefined;
  },
};

/** The same comparison with its sides exchanged. */
export const MIRRORED: Readonly<Record<Ordering, Ordering>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
};

/** CEL's: what decides on one side decides, whatever the other side lacks. */
export const both =
  (left: TruthRun, right: TruthRun): TruthRun =>
  (s, m, of) => {
    const a = left(s, m, of);
    if (a === false) return false;
    const b = right(s, m, of);
    return b === false || a === true ? b : undefined;
  };

export const either =
  (left: TruthRun, right: TruthRun): TruthRun =>
  (s, m, of) => {
    const a = left(s, m, of);
    if (a === true) return true;
    const b = right(s, m, of);
    return b === true || a === false ? b : undefined;
  };

export const not =
  (of: TruthRun): TruthRun =>
  (s, m, subject) => {
    const value = of(s, m, subject);
    return value === undefined ? undefined : !value;
  };

/** Whether two truths are the same, or are not. */
export const sameTruth =
  (left: TruthRun, right: TruthRun, wanted: boolean): TruthRun =>
  (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    return a === undefined || b === undefined ? undefined : (a === b) === wanted;
  };

export const sameText =
  (left: TextRun, right: TextRun, wanted: boolean): TruthRun =>
  (s, m, of) =>
    (left(s, m, of) === right(s, m, of)) === wanted;

/** Of an input that is 1 or 0. */
export const told =
  (at: number): TruthRun =>
  (slots) => {
    const is = slots[at]!;
    return isFinite(is) ? is !== 0 : undefined;
  };

/**
 * What a crossing's cell holds: NaN at first; on which side it was last, and whether it came there just now. A spell without
 * data keeps the side it began on: what crossed meanwhile is told when data is back.
 */
const SIDE = { here: 0, beyond: 1, crossed: 2, hereUnseen: -1, beyondUnseen: -2 } as const;

/**
 * Goes to `beyond` where it was `here` before. At first nothing has crossed, on whichever side it begins. Runs with every
 * evaluation, before the rest: what is left out by && or || must not miss a crossing.
 */
export const crossing =
  (left: NumberRun, right: NumberRun, cell: number, isAbove: boolean): Run<void> =>
  (s, m, of) => {
    const a = left(s, m, of);
    const b = right(s, m, of);
    const before = m[cell]!;
    const wasHere = before === SIDE.here || before === SIDE.hereUnseen;
    if (a !== a || b !== b) m[cell] = before !== before ? NaN : wasHere ? SIDE.hereUnseen : SIDE.beyondUnseen;
    else if (isAbove ? a > b : a < b) m[cell] = wasHere ? SIDE.crossed : SIDE.beyond;
    else m[cell] = SIDE.here;
  };

export const crossed =
  (cell: number): TruthRun =>
  (_s, m) =>
    m[cell]! >= 0 ? m[cell] === SIDE.crossed : undefined;

import type { IndicatorSpec } from './indicator.js';
import { KINDS, type Parameter } from './kinds.js';

/** No indicator has that name, or not with those parameters. */
export class IndicatorNameError extends Error {
  constructor(
    text: string,
    /** Allowed names, parameters and ranges; of the one indicator, where the name is one. */
    readonly expected: string,
  ) {
    super(`${JSON.stringify(text.slice(0, 40))} is no indicator; expected ${expected}`);
    this.name = 'IndicatorNameError';
  }
}

/** Reads one name; parameters left out at the end have their defaults, and `vwap` is the session's. Throws IndicatorNameError. */
export function indicator(text: string): IndicatorSpec {
  if (text === 'vwap') return indicator('vwap:session');
  const [word = '', ...given] = text === 'vwap:session' ? [text] : text.split(':');
  const kind = KINDS.get(word);
  if (!kind) throw new IndicatorNameError(text, usage([...KINDS.keys()]));
  const values = kind.parameters.map((parameter, at) => read(parameter, given[at]));
  if (given.length > values.length || !allGiven(values) || kind.law?.holds(values) === false)
    throw new IndicatorNameError(text, usage(word === 'vwap' ? ['vwap:session', word] : [word]));
  return { ...kind.spec(values), name: [word, ...values].join(':') };
}

/** Every indicator that has defaults, at them. */
export const INDICATOR_DEFAULTS: readonly string[] = [...KINDS]
  .filter(([, { parameters }]) => parameters.every(({ byDefault }) => byDefault !== undefined))
  .map(([word]) => indicator(word).name);

function read({ least, most, byDefault, decimals }: Parameter, text: string | undefined): number | undefined {
  if (text === undefined) return byDefault;
  if (!(decimals ? /^\d{1,3}(\.\d{1,4})?$/ : /^\d{1,3}$/).test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

function allGiven(values: readonly (number | undefined)[]): values is number[] {
  return !values.includes(undefined);
}

/** `macd:<fast 2..500>:<slow 2..500>:<signal 2..500>, fast below slow` */
function usage(words: readonly string[]): string {
  const forms = words.map((word) => {
    const { parameters, law } = KINDS.get(word)!;
    const ranges = parameters.map(({ name, least, most }) => `:<${name} ${least}..${most}>`);
    return `${word}${ranges.join('')}${law ? `, ${law.text}` : ''}`;
  });
  return forms.join('; ');
}

import { fault, type Range } from './condition-error.js';

export type Token = Range &
  Readonly<{
    kind: 'number' | 'text' | 'name' | 'sign' | 'end';
    /** As written; of a text what stands between its quotes. */
    text: string;
  }>;

const SPACE = /[ \t\r\n\f]*/y;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** What may not follow a number at once. */
const GLUED = /[\w.]*/y;
const NAME = /[A-Za-z_]\w*/y;
const SIGN = /\|\||&&|[<>=!]=|[<>!()+\-*/%,]/y;
/** Printable ASCII, and no backslash: then a text means what it shows, whatever CEL would make of its escapes. */
const PLAIN = /[ !#-&(-[\]-~]*/y;
const MOST_DIGITS = 40;

/** What others write, and what stands for it here. */
const SPELLED: ReadonlyMap<string, string> = new Map([
  ['=', '=='],
  ['&', '&&'],
  ['|', '||'],
  ['“', '"'],
  ['”', '"'],
]);

/** Cuts a text, which is at most as long as a condition may be, into tokens; the last is the end. Throws ConditionError. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; ;) {
    at += matchAt(SPACE, source, at)!.length;
    const token = tokenAt(source, at);
    tokens.push(token);
    if (token.kind === 'end') return tokens;
    at = token.end;
  }
}

function tokenAt(source: string, start: number): Token {
  if (start === source.length) return { kind: 'end', text: '', start, end: start };
  const first = source[start]!;
  if (first === '"' || first === "'") return textAt(source, start, first);
  const name = matchAt(NAME, source, start);
  if (name !== undefined) return { kind: 'name', text: name, start, end: start + name.length };
  const number = matchAt(NUMBER, source, start);
  if (number !== undefined) return numberAt(source, start, number);
  const sign = matchAt(SIGN, source, start);
  if (sign !== undefined) return { kind: 'sign', text: sign, start, end: start + sign.length };
  throw unexpectedCharacter(source, start);
}

/** `5m`, `0x1f`, `1_000`, `1.` and `1.2.3` are no numbers, and no two tokens either. */
function numberAt(source: string, start: number, text: string): Token {
  const end = start + text.length;
  const glued = matchAt(GLUED, source, end)!;
  const range = { start, end: end + glued.length };
  if (glued !== '') throw fault('bad-number', range, `${shown(text + glued)} is no number`, '5, 0.25 or 1e6');
  const value = Number(text);
  if (text.length > MOST_DIGITS || !Number.isFinite(value) || (/^\d+$/.test(text) && !Number.isSafeInteger(value)))
    throw fault(
      'bad-number',
      range,
      `${shown(text)} is too long or too large a number`,
      `up to ${MOST_DIGITS} characters; without a point up to 2^53`,
    );
  return { kind: 'number', text, start, end };
}

function textAt(source: string, start: number, quote: string): Token {
  let end = start + 1;
  for (;;) {
    end += matchAt(PLAIN, source, end)!.length;
    const next = source[end];
    if (next === quote) return { kind: 'text', text: source.slice(start + 1, end), start, end: end + 1 };
    if (next === undefined || next === '\n' || next === '\r')
      throw fault('unterminated-text', { start, end }, 'a text that does not end', quote);
    if (next !== '"' && next !== "'") throw unexpectedCharacter(source, end);
    end++;
  }
}

function unexpectedCharacter(source: string, start: number) {
  const character = String.fromCodePoint(source.codePointAt(start)!);
  const instead = SPELLED.get(character);
  const range = { start, end: start + character.length };
  return fault(
    'unexpected-character',
    range,
    `${named(character)} has no meaning here${instead ? `; write ${instead}` : ''}`,
    instead,
  );
}

/** A character that cannot be seen, or looks like another, is told by its number. */
const named = (character: string): string =>
  /[!-~]/.test(character) ? character : `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

const shown = (text: string): string => (text.length > MOST_DIGITS ? `${text.slice(0, MOST_DIGITS)}…` : text);

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

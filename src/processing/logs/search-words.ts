import type { Json } from '../../contracts/index.js';

/** Of a text so much is searched; with it no row comes near the 1 MiB that a tsvector may have. */
const MOST_CHARACTERS = 32_768;
/** PostgreSQL leaves out words beyond 2,047 bytes; cut, they are found. */
const MOST_WORD = 200;

/**
 * The words of a message and of all values of its fields, with a blank between. PostgreSQL's own parser would keep
 * `api.example.com`, `/v1/users` and `-08` whole: nobody could find `users` in them.
 */
export function searchWords(message: string, fields: Readonly<Record<string, Json>>): string {
  const words: string[] = [];
  let left = MOST_CHARACTERS - split(message, MOST_CHARACTERS, words);
  const waiting: Json[] = [fields];
  while (waiting.length > 0 && left > 0) {
    const value = waiting.pop()!;
    if (typeof value === 'string' || typeof value === 'number') left -= 1 + split(String(value), left, words);
    else if (typeof value === 'object' && value !== null)
      for (const one of Object.values(value).toReversed()) waiting.push(one as Json);
  }
  return words.join(' ');
}

/**
 * What a person types, for `websearch_to_tsquery`: words that must all occur, `"words in a row"`, `-not`, `or`. A word
 * that holds punctuation is its parts in a row, as they stand in the text. Undefined when no word is left.
 */
export function searchQuery(typed: string): string | undefined {
  const terms: string[] = [];
  for (let at = 0; at < typed.length;) {
    if (isBlank(typed.charCodeAt(at))) {
      at++;
      continue;
    }
    const isNegated = typed[at] === '-';
    if (isNegated) at++;
    const isQuoted = typed[at] === '"';
    const end = isQuoted ? closing(typed, at + 1) : endOfWord(typed, at);
    const words: string[] = [];
    split(typed.slice(isQuoted ? at + 1 : at, end), MOST_CHARACTERS, words);
    // quoted, `or` is a word
    if (words.length > 0)
      terms.push((isNegated ? '-' : '') + (isQuoted || words.length > 1 ? `"${words.join(' ')}"` : words[0]!));
    at = isQuoted ? end + 1 : end;
  }
  return terms.some((term) => term.toLowerCase() !== 'or') ? terms.join(' ') : undefined;
}

/** Adds the words of the first `most` characters; returns how many characters those were. */
function split(text: string, most: number, words: string[]): number {
  const length = Math.min(text.length, most);
  let start = -1;
  for (let at = 0; at < length; at++) {
    const isWord = isOfWord(text.charCodeAt(at));
    if (isWord && start < 0) start = at;
    if (start >= 0 && !isWord) {
      add(text, start, at, words);
      start = -1;
    }
  }
  if (start >= 0) add(text, start, length, words);
  return length;
}

function add(text: string, start: number, end: number, words: string[]): void {
  // a pair that a cut parts would be no text
  const word = text.slice(start, Math.min(end, start + MOST_WORD)).replace(/[\ud800-\udbff]$/, '');
  if (word !== '') words.push(word);
}

/** Letters and digits; beyond ASCII whatever is neither a usual blank nor usual punctuation. */
function isOfWord(code: number): boolean {
  if (code < 128) return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || (code >= 65 && code <= 90);
  return code >= 0xc0 && !(code >= 0x2000 && code <= 0x206f) && !(code >= 0x3000 && code <= 0x303f) && code < 0xfffe;
}

const isBlank = (code: number): boolean => code <= 32 || code === 0xa0;

function closing(text: string, from: number): number {
  const end = text.indexOf('"', from);
  return end < 0 ? text.length : end;
}

function endOfWord(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text.charCodeAt(at)) && text[at] !== '"') at++;
  return at;
}

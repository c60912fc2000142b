import type { LogLevel } from '../../contracts/index.js';
import { levelOfWord } from './levels.js';

/** What stands between the time of a line and its message. */
export type Header = Readonly<{
  level?: LogLevel;
  logger?: string;
  thread?: string;
  pid?: string;
  /** Where the message begins. */
  end: number;
}>;

/** Of a line no more is looked at than this, behind its time. */
const REACH = 256;
const MOST_TOKENS = 8;

/**
 * Reads `[thread] LEVEL logger - message`, `LEVEL [logger] message`, `logger - LEVEL - message`, `1234 INFO a.logger:
 * message`, `channel.ERROR: message` and their like, from a place on. Without a level nothing of it is taken.
 */
export function headerAt(text: string, from: number, known?: LogLevel): Header {
  const head = text.slice(0, from + REACH);
  const before = known === undefined ? beforeLevel(head, from) : { level: known, asides: [], end: from };
  if (before === undefined) return { end: messageAt(text, from) };
  const after = afterLevel(head, before.end, before.isLetter === true);
  const asides = [...before.asides, ...after.asides].map((aside) => aside.trim());
  const pid = asides.find((aside) => NUMBER.test(aside));
  const names = asides.filter((aside) => aside !== '' && !NUMBER.test(aside));
  const logger = after.logger ?? before.logger ?? (after.asides.length > 0 ? names.pop() : undefined);
  const [thread] = names;
  return {
    level: before.level,
    ...(logger === undefined ? {} : { logger }),
    ...(thread === undefined ? {} : { thread }),
    ...(pid === undefined ? {} : { pid: pid.replace('#', '') }),
    end: messageAt(text, after.end),
  };
}

const NUMBER = /^#?\d{1,10}$/;
/** `com.acme.App`, `my_crate::module`, `file.go:123`; not the first word of a message. */
const QUALIFIED = /[^\s]*(?:[._$/@#]|::)[^\s]/;

type Before = Readonly<{
  level: LogLevel;
  isLetter?: boolean;
  logger?: string;
  /** Of brackets, and numbers. */
  asides: readonly string[];
  end: number;
}>;

function beforeLevel(head: string, from: number): Before | undefined {
  const asides: string[] = [];
  let logger: string | undefined;
  for (let at = from, count = 0; count < MOST_TOKENS; count++) {
    const token = tokenAt(head, at);
    if (token === undefined) return undefined;
    const level = levelIn(token, asides);
    at = token.end;
    if (level !== undefined) {
      const named = logger ?? (level.channel === '' ? undefined : level.channel);
      const isLetter = token.text.length === 1;
      return { level: level.level, isLetter, asides, end: at, ...(named === undefined ? {} : { logger: named }) };
    }
    if (token.isBracket || NUMBER.test(token.text)) asides.push(token.text);
    else if (logger === undefined && '-|:'.includes(token.sign)) logger = token.text;
    else return undefined;
  }
  return undefined;
}

/** Words for levels that begin many a message: they count where a sign follows. */
const WEAK = new Set(['log', 'config', 'system', 'note', 'notice', 'fine', 'alert']);

/** `channel`: of `app.ERROR:`, what is before the level. */
function levelIn(
  { isBracket, text, sign }: Token,
  asides: readonly string[],
): { level: LogLevel; channel: string } | undefined {
  const word = isBracket ? text.trim() : text;
  const dot = sign === ':' && !isBracket ? word.lastIndexOf('.') : -1;
  const level = levelOfWord(word.slice(dot + 1));
  // npm's level of that name is in JSON; in text it is a protocol, and Go's package
  if (level === undefined || word.toLowerCase() === 'http') return undefined;
  const told = { level, channel: dot < 0 ? '' : word.slice(0, dot) };
  if (isBracket) return told;
  if (word.length === 1) return NUMBER.test(asides.at(-1) ?? '') ? told : undefined;
  const isShouted = word === word.toUpperCase();
  const isSigned = sign !== ' ' && sign !== '' && sign !== ',';
  return isSigned || (isShouted && !WEAK.has(word.toLowerCase())) ? told : undefined;
}

/** A number and brackets are taken along with the logger behind them; without one, at most the first bracket is. */
function afterLevel(
  head: string,
  from: number,
  isLogcat: boolean,
): Readonly<{ asides: readonly string[]; logger?: string; end: number }> {
  const asides: string[] = [];
  let end = from;
  for (let at = from, count = 0; count < MOST_TOKENS; count++) {
    const token = tokenAt(head, at);
    if (token === undefined) break;
    at = token.end;
    if (token.isBracket) {
      asides.push(token.text);
      if (asides.length === 1) end = at;
    } else if (NUMBER.test(token.text)) asides.push(token.text);
    else if (isLogger(token, isLogcat)) return { asides, logger: token.text, end: at };
    else break;
  }
  return { asides: end === from ? [] : asides.slice(0, 1), end };
}

function isLogger({ sign, text, isTight }: Token, isLogcat: boolean): boolean {
  if (sign === '-' || sign === ']') return true;
  return sign === ':' && (isLogcat || isTight || QUALIFIED.test(text));
}

type Token = Readonly<{
  isBracket: boolean;
  text: string;
  /** What follows, with or without blanks before it: one of `: - | ] ,`, else a tab, two blanks, one, or nothing. */
  sign: string;
  /** A colon stands directly before it: `INFO:root:message`. */
  isTight: boolean;
  end: number;
}>;

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t';

/** The next word or bracket, over what parts it from the one before; undefined where a bracket does not close. */
export function tokenAt(head: string, from: number): Token | undefined {
  let at = from;
  while (at < head.length && (' \t|,:])'.includes(head[at]!) || isDash(head, at))) at++;
  if (at >= head.length) return undefined;
  const isTight = head[at - 1] === ':';
  const isBracket = head[at] === '[' || head[at] === '(';
  const end = isBracket ? endOfBracket(head, at) : endOfWord(head, at, isTight);
  if (end === undefined || end === at) return undefined;
  const text = isBracket ? head.slice(at + 1, end - 1) : head.slice(at, end);
  return { isBracket, text, sign: signAt(head, end), isTight, end };
}

/** Of `-`, `--`, `---` that stand alone. */
function isDash(head: string, at: number): boolean {
  if (head[at] !== '-') return false;
  const next = head[at + 1];
  return next === undefined || next === '-' || isBlank(next) || next === '[';
}

function endOfBracket(head: string, open: number): number | undefined {
  const [opening, closing] = head[open] === '[' ? ['[', ']'] : ['(', ')'];
  let depth = 0;
  for (let at = open; at < head.length; at++) {
    if (head[at] === opening) depth++;
    else if (head[at] === closing && --depth === 0) return at + 1;
  }
  return undefined;
}

/** A colon ends a word before a blank, after a word for a level, and where one stands before the word. */
function endOfWord(head: string, from: number, isTight: boolean): number {
  let at = from;
  for (; at < head.length; at++) {
    const character = head[at]!;
    if (' \t|[],'.includes(character)) break;
    if (character !== ':') continue;
    const next = head[at + 1];
    if (next === undefined || isBlank(next)) break;
    if (next !== ':' && head[at - 1] !== ':' && (isTight || levelOfWord(head.slice(from, at)) !== undefined)) break;
  }
  return at;
}

function signAt(head: string, end: number): string {
  const next = head[end] ?? '';
  if (next !== ' ') return next;
  let at = end;
  while (isBlank(head[at])) at++;
  const then = head[at] ?? '';
  if ('|:-'.includes(then) && (isBlank(head[at + 1]) || isDash(head, at))) return then;
  return at - end > 1 ? '  ' : ' ';
}

/** Behind the signs that part a message from what stands before it. */
export function messageAt(text: string, from: number): number {
  let at = from;
  for (const most = Math.min(text.length, from + REACH); at < most; at++) {
    const character = text[at]!;
    if (isBlank(character) || character === '|' || isDash(text, at)) continue;
    const isDirect = at === from || text[at - 1] === ']';
    if (isDirect && (character === ']' || character === ')' || character === ':' || character === ',')) continue;
    if (character === ':' && isBlank(text[at + 1])) continue;
    break;
  }
  return at;
}

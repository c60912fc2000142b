import { createHash } from 'node:crypto';
import type { ErrorCode } from '../../errors/index.js';

export const STAGES = ['receive', 'decode', 'parse', 'validate', 'store', 'process', 'deliver'] as const;
export type Stage = (typeof STAGES)[number];

/**
 * `dead`: waits for a person. `pending`: a replay by filter will come to it. `retrying`: its replay is under way.
 * `replayed` and `discarded`: over.
 */
export const LETTER_STATES = ['pending', 'retrying', 'dead', 'replayed', 'discarded'] as const;
export type LetterState = (typeof LETTER_STATES)[number];

/** One attempt that failed. */
export type Try = Readonly<{ atUs: number; error: string; durationMs?: number }>;

/** `kind` says who can replay it; `id` which feed, consumer or file; `position` where in that. */
export type LetterSource = Readonly<{ kind: string; id: string; position?: string }>;

/** What could not be read, accepted, handled or delivered, as a caller hands it over. */
export type DeadLetter = Readonly<{
  stage: Stage;
  code: ErrorCode;
  /** What was wrong with this one. */
  message: string;
  source: LetterSource;
  attempts: number;
  /** As it came. What lies beyond `mostPayloadBytes` is cut off; such a letter can only be replayed edited. */
  payload: string | Buffer;
  /** Left out: `text/plain; charset=utf-8` of a text, `application/octet-stream` of bytes. */
  contentType?: string;
  /** 256 KiB, unless told otherwise. */
  mostPayloadBytes?: number;
  /** How long the payload was, where the caller itself has only the beginning of it. */
  fullPayloadBytes?: number;
  /** The attempts, where the caller knows more of them than the last. */
  tries?: readonly Try[];
}>;

/** A letter as it is handed to whoever replays it. */
export type ReplayedLetter = Readonly<{
  id: string;
  stage: Stage;
  code: string;
  message: string;
  source: LetterSource;
  payload: Buffer;
  contentType: string;
  /** Whether a person changed the payload since. */
  isEdited: boolean;
  firstFailedAtUs: number;
}>;

/**
 * Does again what failed, in the transaction that closes the letter, so that both happen or none. Throws when it fails
 * again, which the letter then tells. May run twice for one letter after a restored database: what it writes carries the
 * keys it had the first time. `under-way`: what it began is carried out later, and whoever does that reports its end.
 */
export type Replayer<Tx> = (letter: ReplayedLetter, tx: Tx) => Promise<void | 'under-way'>;

export const MOST_PAYLOAD_BYTES = 256 * 1024;
const MOST_MESSAGE = 2000;
const MOST_ERROR = 500;
const MOST_NAME = 200;
/** Of the attempts, the last so many are told. */
export const MOST_TRIES = 20;

/** What a row holds of a payload. */
export type StoredPayload = Readonly<{ bytes: Buffer; fullBytes: number; sha256: string }>;

export function storedPayload(
  payload: string | Buffer,
  mostBytes = MOST_PAYLOAD_BYTES,
  fullBytes?: number,
): StoredPayload {
  const whole = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return {
    bytes: whole.length > mostBytes ? whole.subarray(0, mostBytes) : whole,
    fullBytes: fullBytes ?? whole.length,
    sha256: createHash('sha256').update(whole).digest('hex'),
  };
}

/** Kinds whose ids are of single files: one fault in a hundred of them is one fault. */
const OF_FILES = new Set(['file', 'log-event']);

/** Letters that failed alike have one fingerprint: numbers and quoted parts of the message make no difference. */
export function fingerprintOf({ stage, code, message, source }: DeadLetter): string {
  const alike = message.slice(0, MOST_MESSAGE).replaceAll(/"[^"]*"|'[^']*'|`[^`]*`|\d+/g, '#');
  return createHash('sha256')
    .update(JSON.stringify([stage, code, source.kind, OF_FILES.has(source.kind) ? '' : source.id, alike]))
    .digest('hex')
    .slice(0, 16);
}

/** PostgreSQL text cannot hold U+0000, nor UTF-8 a lone surrogate. */
const printable = (text: string, most: number): string => text.replaceAll('\0', '\u2400').slice(0, most).toWellFormed();

export const messageText = (text: string): string => printable(text, MOST_MESSAGE);
export const errorText = (text: string): string => printable(text, MOST_ERROR);
export const nameText = (text: string): string => printable(text, MOST_NAME);

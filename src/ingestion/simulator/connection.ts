import type { WebSocket } from 'ws';
import type { Spoken, Subscription } from './faces/face.js';
import type { TapeFrame } from './tape.js';

/** A frame that a fault keeps back until its time. */
export type Held = Spoken & Readonly<{ dueUs: number }>;

/** One client of a venue, and how far each of its streams has come. */
export type Connection = {
  readonly socket: WebSocket;
  /** The face's own, see Face. */
  readonly talk: unknown;
  readonly exclusiveKey: string | undefined;
  /** Streams that say something. */
  readonly streams: Map<string, Subscription & { cursor: number }>;
  held: Held[];
  /** Trades of a stream that are still to be skipped. */
  readonly gaps: Map<string, number>;
  /** The number of the next frame that carries one; lost ones have theirs. */
  sequence: number;
  silentUntilMs: number;
  /** Says nothing and answers no ping any more. */
  isMute: boolean;
  readonly openedMs: number;
  /** It is closed then: of age, or by a fault. */
  endsMs: number;
  spokeMs: number;
  /** When trades were last told, and each beat was last made. */
  toldMs: number;
  readonly beatMs: number[];
  pingedMs: number;
  pongedMs: number;
  /** Messages of the last second. */
  heardMs: number[];
};

/** A frame as it looks when its end got lost. */
export function broken(text: string): string {
  return text.slice(0, Math.floor(text.length * 0.6));
}

/** A trade no venue would send, under an id that no real trade has. */
export function negative(frame: TapeFrame): TapeFrame {
  const { cursor, order, atUs, trade } = frame;
  return { cursor, order, atUs, trade: { ...trade!, id: 9e15 + (trade!.id % 7e12), price: '-1.0' } };
}

/** Order on the tape, for sorting. */
export function before(a: TapeFrame, b: TapeFrame): number {
  return a.atUs - b.atUs || a.order - b.order;
}

import type { WebSocket } from 'ws';
import { combinedFrame, inMicroseconds, payloadOf, tradePayload } from './binance-wire.js';
import { parseStream, type TapeFrame } from './tape.js';

/** A frame of a stream, about to be sent. */
export type Spoken = Readonly<{ stream: string; frame: TapeFrame }>;
/** A frame that a fault keeps back until its time. */
export type Held = Spoken & Readonly<{ dueUs: number }>;

/** One client of the face, and how far each of its streams has come. */
export type Connection = {
  readonly socket: WebSocket;
  combined: boolean;
  readonly microseconds: boolean;
  /** All that was asked for, and of these how far the ones have come that say something. */
  readonly streams: Set<string>;
  readonly cursors: Map<string, number>;
  held: Held[];
  /** Trades of a stream that are still to be skipped. */
  readonly gaps: Map<string, number>;
  silentUntilMs: number;
  readonly openedMs: number;
  pingedMs: number;
  pongedMs: number;
  /** Messages of the last second. */
  heardMs: number[];
};

/** A frame as this connection wants it: combined or not, in milliseconds or microseconds. */
export function textFor(connection: Connection, stream: string, { raw, trade, atUs }: TapeFrame, at: number): string {
  const { combined, microseconds } = connection;
  if (raw !== undefined) {
    const text = combined ? raw : payloadOf(raw);
    return microseconds ? inMicroseconds(text) : text;
  }
  const { symbol, channel } = parseStream(stream)!;
  const payload = tradePayload(channel, symbol, trade!, Math.max(at, atUs), microseconds);
  return combined ? combinedFrame(stream, payload) : payload;
}

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

import type { IncomingMessage } from 'node:http';
import { AppError } from '../../platform/errors/index.js';

/** A client that sends less than so much within the time of a stall, over two of them, holds a place for nothing. */
const LEAST_BYTES_A_STALL = 64 * 1024;
const SPELL_STALLS = 2;
/** How long a client may still send what nobody reads, so that it gets to see the answer. */
const LINGER_MS = 5000;

/** `stallMs`: without a byte; `mostMs`: for all of it. */
export type BodyTimes = Readonly<{ stallMs: number; mostMs: number }>;

/**
 * A request's body as it comes. Throws `uploads.aborted` when the client goes, `uploads.stalled` when it sends nothing for
 * a stall, too little while it is waited for, or does not come to its end in time. Ending early leaves the request as it
 * is.
 */
export async function* chunksOf(request: IncomingMessage, { stallMs, mostMs }: BodyTimes): AsyncGenerator<Buffer> {
  const untilMs = performance.now() + mostMs;
  let [spellMs, spellBytes] = [0, 0];
  for (;;) {
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) throw new AppError('uploads.stalled', `not whole within ${mostMs} ms (UPLOAD_MAX_TIME)`);
    const chunk = request.read() as Buffer | null;
    if (chunk !== null) {
      spellBytes += chunk.length;
      yield chunk;
      continue;
    }
    if (request.readableEnded) return;
    if (request.destroyed) throw new AppError('uploads.aborted', 'the connection was closed before its end');
    const waitedMs = await somethingOf(request, Math.min(stallMs, leftMs));
    if (waitedMs >= stallMs) throw new AppError('uploads.stalled', `nothing within ${stallMs} ms (UPLOAD_STALL)`);
    spellMs += waitedMs;
    if (spellMs < SPELL_STALLS * stallMs) continue;
    if (spellBytes < SPELL_STALLS * LEAST_BYTES_A_STALL)
      throw new AppError(
        'uploads.stalled',
        `${spellBytes} bytes within ${SPELL_STALLS} times ${stallMs} ms (UPLOAD_STALL), ${LEAST_BYTES_A_STALL} in each are the least`,
      );
    [spellMs, spellBytes] = [0, 0];
  }
}

/** Resolves with the time it took until there is something to read, the body is over, or `mostMs` have passed. */
function somethingOf(request: IncomingMessage, mostMs: number): Promise<number> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close', 'error'] as const;
    const done = (): void => {
      clearTimeout(timer);
      for (const event of events) request.off(event, done);
      resolve(performance.now() - startedMs);
    };
    const timer = setTimeout(done, mostMs);
    for (const event of events) request.on(event, done);
  });
}

/**
 * After an answer that did not wait for the whole body: what still comes is thrown away for a while, because a connection
 * that is closed over unread bytes takes the answer with it. Then it is closed.
 */
export function lingerOver(request: IncomingMessage): void {
  request.on('error', () => undefined);
  if (request.complete || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, LINGER_MS);
  request.once('close', () => clearTimeout(timer));
}

import type { IncomingMessage } from 'node:http';
import { AppError } from '../../platform/errors/index.js';

/** A client that sends less than so much within the time of a stall holds a place for nothing. */
const LEAST_BYTES_A_STALL = 1024;
/** How long a client may still send what nobody reads, so that it gets to see the answer. */
const LINGER_MS = 5000;

/** The client went away: nobody is left to answer. */
export class ClientGone extends Error {}

/**
 * A request's body as it comes. Throws ClientGone when the client goes, `uploads.stalled` when it sends nothing for
 * `stallMs`, or next to nothing, while it is waited for. Ending early leaves the request as it is.
 */
export async function* chunksOf(request: IncomingMessage, stallMs: number): AsyncGenerator<Buffer> {
  let [spellMs, spellBytes] = [0, 0];
  for (;;) {
    const chunk = request.read() as Buffer | null;
    if (chunk !== null) {
      spellBytes += chunk.length;
      yield chunk;
      continue;
    }
    if (request.readableEnded) return;
    if (request.destroyed) throw new ClientGone();
    const waitedMs = await somethingOf(request, stallMs);
    spellMs += waitedMs;
    if (waitedMs >= stallMs || (spellMs >= stallMs && spellBytes < LEAST_BYTES_A_STALL))
      throw new AppError(
        'uploads.stalled',
        `less than ${LEAST_BYTES_A_STALL} bytes within ${stallMs} ms (UPLOAD_STALL)`,
      );
    if (spellMs >= stallMs) [spellMs, spellBytes] = [0, 0];
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

/** What one client may cost, and how often it is looked after. */
export type StreamLimits = Readonly<{
  /** Bytes that may wait for a client that does not read; beyond, it is cut. */
  bufferedBytes: number;
  /** How long a client that is cut may take to read why, and how long when the process stops. */
  goodbyeMs: number;
  shutdownMs: number;
  /** How long it may take to read a page of what it missed. */
  drainMs: number;
  /** SSE comments, which keep proxies from closing a quiet stream. */
  commentEveryMs: number;
  /** Updates to WebSockets are collected this long. */
  batchMs: number;
  pingEveryMs: number;
  pongWithinMs: number;
}>;

export const STREAM_LIMITS = Symbol('stream-limits');

export const DEFAULT_LIMITS: StreamLimits = {
  bufferedBytes: 4 * 1024 * 1024,
  goodbyeMs: 5000,
  shutdownMs: 500,
  drainMs: 30_000,
  commentEveryMs: 15_000,
  batchMs: 40,
  pingEveryMs: 20_000,
  pongWithinMs: 40_000,
};

/** A body that is larger than its reader allows. */
export class BodyTooLarge extends Error {
  constructor(mostBytes: number) {
    super(`the answer is larger than ${mostBytes} bytes`);
    this.name = 'BodyTooLarge';
  }
}

/** The body of an answer as text. Throws BodyTooLarge above `mostBytes` (unpacked), without reading on. */
export async function textOf(response: Response, mostBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  // leaving the loop early cancels the body, and with it the connection
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) throw new BodyTooLarge(mostBytes);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What a `Retry-After` header asks for, in seconds or as a date; `mostMs` at most, 0 when there is none or it is past. */
export function pauseAskedMs(header: string | null, nowMs: number, mostMs: number): number {
  if (header === null) return 0;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? 0 : Math.min(mostMs, Math.max(0, ms));
}

/** Why `fetch` failed: its own message only says that it did, the cause says what happened. */
export const whyUnanswered = ({ message, cause }: Error): string =>
  (cause instanceof Error && cause.message) || message;

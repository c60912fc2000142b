import type { HttpRequest } from '../connectors/connector.js';
import { BodyTooLarge, pauseAskedMs, textOf, whyUnanswered } from '../http-answer.js';

const MOST_BYTES = 1024 * 1024;
const LONGEST_PAUSE_MS = 24 * 3_600_000;

/** What a source said of an answer, so that it need not send it again while it stands. */
export type Validators = Readonly<{ url: string; etag: string | null; lastModified: string | null }>;

export type Answer = Readonly<
  { kind: 'body'; body: string; validators: Validators | undefined } | { kind: 'not-modified' }
>;

export type PollFault = 'unreachable' | 'timeout' | 'status' | 'redirect' | 'too-large' | 'bad-answer';

/** A poll that brought nothing; the message is for a person and holds neither address nor headers. */
export class PollError extends Error {
  constructor(
    readonly fault: PollFault,
    message: string,
    /** How long the source asks to be left alone. */
    readonly retryAfterMs = 0,
  ) {
    super(message);
    this.name = 'PollError';
  }
}

/**
 * Asks once, with what is known of the last answer from the same address. Redirects are refused: headers may hold a key,
 * which is for one host. Throws PollError; a body above 1 MiB (unpacked) is not read to its end.
 */
export async function askAgain(
  { url, headers }: HttpRequest,
  known: Validators | undefined,
  answerWithinMs: number,
  stopped: AbortSignal,
): Promise<Answer> {
  const conditions = known?.url === url ? conditionsOf(known) : {};
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(answerWithinMs)]);
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json', 'user-agent': 'Tapeline', ...headers, ...conditions },
      redirect: 'manual',
      signal,
    });
    if (response.status === 200)
      return { kind: 'body', body: await textOf(response, MOST_BYTES), validators: told(url, response) };
    await response.body?.cancel();
    if (response.status === 304 && Object.keys(conditions).length > 0) return { kind: 'not-modified' };
    throw refusal(response);
  } catch (error) {
    if (error instanceof PollError) throw error;
    if (signal.aborted) throw new PollError('timeout', `no answer within ${answerWithinMs} ms`);
    if (error instanceof BodyTooLarge) throw new PollError('too-large', error.message);
    throw new PollError('unreachable', whyUnanswered(error as Error));
  }
}

function conditionsOf({ etag, lastModified }: Validators): Record<string, string> {
  return {
    ...(etag === null ? {} : { 'if-none-match': etag }),
    ...(lastModified === null ? {} : { 'if-modified-since': lastModified }),
  };
}

function told(url: string, { headers }: Response): Validators | undefined {
  const [etag, lastModified] = [headers.get('etag'), headers.get('last-modified')];
  return etag === null && lastModified === null ? undefined : { url, etag, lastModified };
}

function refusal({ status, headers }: Response): PollError {
  if (status >= 300 && status < 400 && headers.has('location'))
    return new PollError('redirect', `answered ${status}, a redirect: set the address it leads to`);
  return new PollError(
    'status',
    `answered ${status}`,
    pauseAskedMs(headers.get('retry-after'), Date.now(), LONGEST_PAUSE_MS),
  );
}

import { afterEach, beforeEach, vi } from 'vitest';

type Answered = { answer: () => Promise<Response>; asked: number };

/**
 * `fetch` answers as a spec says, and is aborted as the real one is. Signals time out in virtual time, of which Node's own
 * timer of a signal knows nothing.
 */
export function answeredFetch(): Answered {
  const answered: Answered = { answer: () => Promise.resolve(new Response('[]')), asked: 0 };
  const { answer } = answered;
  beforeEach(() => {
    Object.assign(answered, { answer, asked: 0 });
    vi.stubGlobal('fetch', (_url: string, { signal }: { signal: AbortSignal }) => {
      answered.asked++;
      const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      return Promise.race([answered.answer(), aborted]);
    });
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException('timed out', 'TimeoutError')), ms);
      return controller.signal;
    });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
  return answered;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Rest, RestAnswer, RestRequest, VenueLimits } from './faces/face.js';
import { faultAmong, type Faults } from './faults.js';
import { RequestWeight } from './request-weight.js';

export type RestOptions = Readonly<{
  rest: Rest | undefined;
  limits: VenueLimits;
  faults: Faults;
  /** All of a request but what its URL says. */
  market: () => Pick<RestRequest, 'tape' | 'nowUs' | 'symbols' | 'find'>;
}>;

/** Answers the venue's HTTP requests: its limits and faults here, the rest by its face. */
export function restOf(options: RestOptions): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { rest, limits, faults, market } = options;
  const weight = new RequestWeight(limits);

  return async (request, response) => {
    const url = targetOf(request);
    const { waitS } = weight.spend(rest?.weigh(url.pathname) ?? 0);
    const headers = {
      'content-type': 'application/json;charset=UTF-8',
      ...(rest?.usedWeightHeader && { [rest.usedWeightHeader]: String(weight.usedThisMinute) }),
    };
    const answer = ({ status, body, headers: own }: RestAnswer, more: Record<string, string> = {}): void => {
      response.writeHead(status, { ...headers, ...own, ...more });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    const refuse = (status: number, retryAfterS: number): void => {
      const refusal = rest!.refuse(status, limits);
      const isLimit = refusal.status === 429 || refusal.status === 418;
      answer(refusal, isLimit ? { 'retry-after': String(retryAfterS) } : {});
    };
    if (request.method !== 'GET') return answer({ status: 405, body: {} }, { allow: 'GET' });
    if (!rest) return answer({ status: 404, body: {} });
    const strikes = faults.strikeNext('request');
    if (faultAmong(strikes, 'restHang')) return;
    const refused = faultAmong(strikes, 'rest429') ?? faultAmong(strikes, 'rest418');
    const failed = faultAmong(strikes, 'rest5xx');
    if (refused) return refuse(refused.status, refused.retryAfterS);
    if (failed) return refuse(failed.status, 0);
    if (waitS > 0) return refuse(429, waitS);

    const answered = rest.answer({
      ...market(),
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
    });
    if ('status' in answered) return answer(answered);
    for (;;) {
      const step = answered.next();
      if (step.done) return answer(step.value);
      await breathe();
      if (response.destroyed) return;
    }
  };
}

/** A target that is no URL leads nowhere. */
export function targetOf(request: IncomingMessage): URL {
  const target = request.url ?? '/';
  return new URL(URL.canParse(target, 'http://venue') ? target : '/', 'http://venue');
}

import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScriptedVenue } from '../../test/support/scripted-venue.js';
import { arrived, inVirtualTime, pass, settled } from '../../test/support/virtual-time.js';
import { VenueRest } from './venue-rest.service.js';

const DAY_MS = 86_400_000;

let venue: ScriptedVenue;
let rest: VenueRest;
/** What was asked for, and when. */
let asked: { path: string; atMs: number }[];

inVirtualTime();

beforeEach(async () => {
  venue = await ScriptedVenue.start();
  rest = new VenueRest(6000);
  asked = [];
  answerWith((response) => response.end('fine'));
  // Node's own timer of a signal knows no virtual time
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException('timed out', 'TimeoutError')), ms);
    return controller.signal;
  });
});

afterEach(async () => {
  rest.stop();
  vi.restoreAllMocks();
  await venue.close();
});

function answerWith(answer: (response: ServerResponse, path: string) => unknown): void {
  venue.answer = (request, response) => {
    asked.push({ path: request.url!, atMs: performance.now() });
    answer(response, request.url!);
  };
}

/** The body, or what went wrong. */
const get = (path = '/', weight = 1, mostBytes = 1000): Promise<string> =>
  rest.get({ url: venue.restUrl + path, headers: {} }, weight, mostBytes).catch((error: Error) => error.message);

function abortable(path: string, weight = 1, signal?: AbortSignal) {
  const controller = new AbortController();
  const request = { url: venue.restUrl + path, headers: {} };
  const promise = rest.get(request, weight, 1000, signal ?? controller.signal).catch((error: Error) => error.message);
  return { promise, abort: () => controller.abort() };
}

/** The same, once time has gone by until it is there. */
async function got(answer: Promise<string>): Promise<string> {
  const came: string[] = [];
  void answer.then((text) => came.push(text));
  await settled();
  while (came.length === 0) await pass(500);
  return came[0]!;
}

describe('the REST side of a venue', () => {
  it('asks one thing at a time, in order, and goes on after a failure', async () => {
    const held: (() => void)[] = [];
    answerWith((response, path) =>
      held.push(() => (path === '/2' ? response.writeHead(500).end('broken') : response.end(path))),
    );
    const answers = ['/1', '/2', '/3'].map((path) => get(path));
    for (const path of ['/1', '/2', '/3']) {
      await arrived(() => asked.at(-1)?.path === path);
      await settled();
      expect(held.length).toBe(1);
      held.shift()!();
    }
    expect(await Promise.all(answers)).toEqual(['/1', '/2 answered 500: broken', '/3']);
  });

  it('leaves a venue alone that fails five times in a row, then sends one probe', async () => {
    answerWith((response) => response.writeHead(503).end('overloaded'));
    for (let i = 0; i < 5; i++) expect(await got(get())).toBe('/ answered 503: overloaded');
    expect(await got(get())).toMatch(/^the venue is left alone for another [345] s, after 5 failures$/);
    expect(asked).toHaveLength(5);
    expect(rest.circuit.state(performance.now())).toBe('open');
    while (rest.circuit.state(performance.now()) === 'open') await pass(500);
    answerWith((response) => response.end('fine again'));
    expect(await got(get())).toBe('fine again');
    expect([rest.circuit.state(performance.now()), asked.length]).toEqual(['closed', 6]);
  });

  it('takes a refusal for a sign of life, and nothing that was given up for a failure', async () => {
    answerWith((response) => response.writeHead(400).end('no such symbol'));
    for (let i = 0; i < 7; i++) expect(await got(get())).toBe('/ answered 400: no such symbol');
    answerWith(() => undefined);
    for (let i = 0; i < 7; i++) {
      const one = abortable('/');
      await arrived(() => asked.length === 8 + i);
      one.abort();
      await got(one.promise);
    }
    expect([rest.circuit.failures, asked.length]).toEqual([0, 14]);
  });

  it('spends a tenth of the weight of a minute at once, and the rest as it comes back', async () => {
    for (let i = 0; i < 4; i++) expect(await got(get('/', 300))).toBe('fine');
    const [first, second, third, fourth] = asked.map(({ atMs }) => atMs);
    expect(second! - first!).toBeLessThan(10);
    expect(third! - second!).toBeGreaterThanOrEqual(2990);
    expect(fourth! - third!).toBeGreaterThanOrEqual(2990);
    expect(fourth! - third!).toBeLessThan(3600);
    expect(rest.limit.used).toBeGreaterThan(550);
    await pass(60_000);
    expect(rest.limit).toEqual({ name: 'request weight at once', used: 0, allowed: 600 });
  });

  it('does not spend weight because the wall clock was set back', async () => {
    expect(await get()).toBe('fine');
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await get()).toBe('fine');
    expect(rest.limit.used).toBeLessThanOrEqual(2);
  });

  it.each([
    [429, '7', 7000],
    [418, '120', 120_000],
    [429, undefined, 60_000],
    [418, undefined, 60_000],
    [429, new Date(Date.UTC(2026, 2, 1, 12, 2)).toUTCString(), 120_000],
    [429, 'soon', 60_000],
    [429, '-5', 60_000],
    [418, String(30 * 86_400), 3 * DAY_MS],
  ])('lets the venue alone after %i with Retry-After %s', async (status, retryAfter, pauseMs) => {
    answerWith((response) =>
      response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('{"code":-1003}'),
    );
    expect(await get('/api')).toBe(`/api answered ${status}: {"code":-1003}`);
    answerWith((response) => response.end('fine'));
    expect(rest.limit.used).toBe(600);
    expect(await get()).toContain('the venue refuses requests for another');
    await pass(pauseMs - 100);
    const answer = get();
    await settled();
    expect(asked.length).toBe(1);
    await pass(200);
    expect(await answer).toBe('fine');
  });

  it('lets the venue alone even when the body of its 429 never ends', async () => {
    answerWith((response) => response.writeHead(429).write('{'));
    expect(await got(get('/api'))).toBe('/api could not be read: timed out');
    answerWith((response) => response.end('fine'));
    expect(await get()).toBe('the venue refuses requests for another 45 s');
    await pass(40_000);
    expect(await got(get())).toBe('fine');
    expect(performance.now() - asked[0]!.atMs).toBeGreaterThanOrEqual(60_000);
  });

  it('refuses at once, with the time that is left, while the venue wants to be left alone for long', async () => {
    const refuse = (seconds: number) =>
      answerWith((response) => response.writeHead(418, { 'retry-after': String(seconds) }).end());
    refuse(7200);
    const answers = [get('/first'), get('/second'), get('/third')];
    expect(await Promise.all(answers)).toEqual([
      '/first answered 418: ',
      ...Array.from({ length: 2 }, () => 'the venue refuses requests for another 120 min'),
    ]);
    await pass(7_100_000);
    expect(await get()).toBe('the venue refuses requests for another 100 s');
    await pass(96_000);
    refuse(50_000);
    expect(await got(get('/fourth'))).toBe('/fourth answered 418: ');
    expect(await get()).toBe('the venue refuses requests for another 14 h');
    expect(asked.map(({ path }) => path)).toEqual(['/first', '/fourth']);
    expect(rest.limit.used).toBe(600);
  });

  it('lets no more than a hundred requests wait', async () => {
    answerWith(() => undefined);
    const waiting = Array.from({ length: 100 }, () => get('/hangs', 0));
    expect(await get()).toBe('100 requests wait for the venue already');
    answerWith((response) => response.end('fine'));
    for (const answer of waiting.slice(1)) expect(await got(answer)).toBe('fine');
    expect(await get()).toBe('fine');
  });

  it('gives a request up with whoever asked, wherever it is, and goes on with the next one', async () => {
    answerWith(() => undefined);
    const { promise: hanging, abort: giveUp } = abortable('/hangs');
    const { promise: second, abort: giveSecondUp } = abortable('/second');
    await arrived(() => asked.length === 1);
    giveSecondUp();
    expect(await second).toBe('/second was not answered in time');
    answerWith((response) => response.end('fine'));
    const next = get('/next');
    giveUp();
    expect(await hanging).toBe('/hangs was not answered in time');
    expect(await next).toBe('fine');
    expect(await got(get('/spends', 600))).toBe('fine');
    const { promise: unpaid, abort } = abortable('/unpaid', 3000);
    await settled();
    abort();
    expect(await unpaid).toBe('/unpaid was not answered in time');
    expect(await abortable('/late', 1, AbortSignal.abort()).promise).toBe('/late was not answered in time');
    expect(asked.map(({ path }) => path)).toEqual(['/hangs', '/next', '/spends']);
  });

  it('reads no more of a body than it was allowed', async () => {
    let written = 0;
    answerWith(async (response) => {
      while (!response.destroyed && written < 500_000_000) {
        written += 65_536;
        response.write(Buffer.alloc(65_536));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(await get('/much', 1, 100_000)).toBe('/much could not be read: the answer is larger than 100000 bytes');
    await arrived(() => venue.connected === 0);
    expect(written).toBeLessThan(50_000_000);
    answerWith((response) => response.end('x'.repeat(100_000)));
    expect((await get('/just', 1, 100_000)).length).toBe(100_000);
  });

  it('waits 15 s for an answer that does not come, and no longer', async () => {
    answerWith(() => undefined);
    const [hanging, next] = [get('/hangs'), get('/next')];
    await arrived(() => asked.length === 1);
    answerWith((response) => response.end('fine'));
    await pass(14_900);
    expect(asked.length).toBe(1);
    await pass(200);
    expect(await hanging).toBe('/hangs was not answered: timed out');
    expect(await next).toBe('fine');
  });

  it('follows no redirect', async () => {
    answerWith((response) => response.writeHead(302, { location: `${venue.restUrl}/elsewhere` }).end());
    expect(await get('/moved')).toBe('/moved was not answered: unexpected redirect');
    expect(asked.map(({ path }) => path)).toEqual(['/moved']);
  });

  it('says why nobody answers', async () => {
    const gone = await ScriptedVenue.start();
    const url = `${gone.restUrl}/trades?key=secret`;
    await gone.close();
    const message = await rest.get({ url, headers: {} }, 1, 10).catch((error: Error) => error.message);
    expect(message).toMatch(/^\/trades was not answered: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  });

  it('gives up what waits and what is under way when it is stopped', async () => {
    answerWith(() => undefined);
    const answers = [get('/hangs'), get('/waits', 6000)];
    await arrived(() => asked.length === 1);
    rest.stop();
    expect(await Promise.all([...answers, get('/later')])).toEqual([
      'the process stops',
      'the process stops',
      'the process stops',
    ]);
    expect(asked.length).toBe(1);
  });

  it('does not sit a pause out when it is stopped', async () => {
    answerWith((response) => response.writeHead(418, { 'retry-after': '4' }).end());
    await get();
    const waits = get();
    await settled();
    rest.stop();
    expect(await waits).toBe('the process stops');
  });
});

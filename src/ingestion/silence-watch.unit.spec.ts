import { beforeEach, describe, expect, it, vi } from 'vitest';
import { answeredFetch } from '../../test/support/answered-fetch.js';
import { inVirtualTime } from '../../test/support/virtual-time.js';
import type { Trade } from '../contracts/index.js';
import { CONNECTORS } from './connectors/registry.js';
import { SilenceWatch } from './silence-watch.service.js';
import { SymbolActivity } from './symbol-activity.js';
import { VenueHistory } from './venue-history.service.js';
import { VenueRest } from './venue-rest.service.js';

const HOUR_MS = 3_600_000;

/** One connection to a venue whose trades are `traded` (seconds since the start); the socket brings those of `heard`. */
function watched({ traded, heard, refuses = false }: { traded: number[]; heard: number[]; refuses?: boolean }) {
  const trade = (second: number): Trade =>
    ({
      venueSymbol: 'BTCUSDT',
      tradeId: String(second),
      tradedAtUs: second * 1e6,
      receivedAtUs: second * 1e6 + 20_000,
    }) as Trade;
  const activity = new SymbolActivity('BTCUSDT', 'BTCUSDT', 0);
  const replaced: { atS: number; reason: string }[] = [];
  let nowS = 0;
  let asked = 0;
  const connection = {
    state: 'connected' as const,
    sinceUs: 0,
    venueSymbols: ['BTCUSDT'],
    replace(reason: string) {
      replaced.push({ atS: nowS, reason });
      connection.sinceUs = nowS * 1e6;
      activity.pace.restart(nowS * 1000);
    },
  };
  const history = {
    newest: () => {
      asked++;
      if (refuses) return Promise.reject(new Error('history answered 503'));
      return Promise.resolve(traded.filter((second) => second <= nowS).map(trade));
    },
  };
  const watch = new SilenceWatch(history, () => [connection], new Map([['BTCUSDT', activity]]));
  const runTo = async (untilS: number): Promise<void> => {
    for (; nowS <= untilS; nowS++) {
      if (heard.includes(nowS)) activity.heard(trade(nowS), BigInt(nowS));
      await watch.look(nowS * 1000);
    }
  };
  return { runTo, replaced, activity, asked: () => asked, nowMs: () => nowS * 1000 };
}

const seconds = (from: number, to: number, every = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, i) => from + i * every);

describe('the watch over silent symbols', () => {
  it('replaces a socket that stays open and no longer tells what is traded, within a minute', async () => {
    const { runTo, replaced } = watched({ traded: seconds(1, 1000), heard: seconds(1, 300) });
    await runTo(360);
    expect(replaced.length).toBe(1);
    expect(replaced[0]!.atS).toBeLessThan(360);
    expect(replaced[0]!.reason).toContain('BTCUSDT');
  });

  it('replaces a socket that is deaf from its first moment', async () => {
    const { runTo, replaced } = watched({ traded: seconds(1, 1000), heard: [] });
    await runTo(90);
    expect(replaced.length).toBe(1);
  });

  it('keeps a market that trades hourly, and asks less and less often', async () => {
    const hourly = seconds(1800, 6 * 3600, 3600);
    const { runTo, replaced, asked } = watched({ traded: hourly, heard: hourly });
    await runTo(6 * 3600);
    expect(replaced).toEqual([]);
    expect(asked()).toBeLessThan(6 * (HOUR_MS / 1000 / 60));
  });

  it('keeps a busy market that falls quiet, and says so', async () => {
    const { runTo, replaced, activity, nowMs } = watched({ traded: seconds(1, 300), heard: seconds(1, 300) });
    await runTo(7200);
    expect(replaced).toEqual([]);
    expect(activity.status(nowMs()).state).toBe('quiet');
  });

  it('does not blame a connection for what was traded before it was there', async () => {
    const { runTo, replaced } = watched({ traded: [...seconds(1, 3)], heard: [] });
    await runTo(300);
    expect(replaced).toEqual([]);
  });

  it('gives a wholly silent connection up when the venue cannot be asked, but not before five minutes', async () => {
    const { runTo, replaced } = watched({ traded: [], heard: seconds(1, 60), refuses: true });
    await runTo(350);
    expect(replaced).toEqual([]);
    await runTo(380);
    expect(replaced.length).toBe(1);
  });
});

describe('the watch over silent symbols, while the venue answers late or not at all', () => {
  const replaced: string[] = [];
  let rest: VenueRest;
  let watch: SilenceWatch;
  let activity: SymbolActivity;

  inVirtualTime();
  const venue = answeredFetch();

  beforeEach(() => {
    replaced.length = 0;
    rest = new VenueRest(6000);
    activity = new SymbolActivity('BTCUSDT', 'BTCUSDT', Date.now());
    const connection = {
      state: 'connected' as const,
      sinceUs: Date.now() * 1000,
      venueSymbols: ['BTCUSDT'],
      replace: (reason: string) => replaced.push(reason),
    };
    const history = new VenueHistory(CONNECTORS.binance.history!, 'http://venue', rest);
    watch = new SilenceWatch(history, () => [connection], new Map([['BTCUSDT', activity]]));
  });

  async function watchFor(span: number): Promise<void> {
    for (let second = 0; second < span; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      void watch.look(Date.now());
    }
  }
  const ask = (): Promise<unknown> =>
    rest.get({ url: 'http://venue/', headers: {} }, 1, 1000).catch((error: Error) => error);

  it('gives a wholly silent connection up after five minutes of a ban that lasts for hours', async () => {
    venue.answer = () => Promise.resolve(new Response('banned', { status: 418, headers: { 'retry-after': '7200' } }));
    await ask();
    await watchFor(299);
    expect(replaced).toEqual([]);
    await watchFor(20);
    expect(replaced[0]).toBe(
      'silent, and the venue cannot be asked why: the venue refuses requests for another 115 min',
    );
    expect(venue.asked).toBe(1);
  });

  it('gives it up as well while others hold the question up for longer than that', async () => {
    venue.answer = () => new Promise(() => undefined);
    for (let waiting = 0; waiting < 40; waiting++) void ask();
    await watchFor(340);
    expect(replaced[0]).toMatch(
      /^silent, and the venue cannot be asked why: .* (was not answered in time|left alone for another \d+ s, after 5 failures)$/,
    );
  });

  it('does not call a symbol quiet that was heard while the question was under way', async () => {
    let tell: (response: Response) => void = () => undefined;
    venue.answer = () => new Promise((resolve) => (tell = resolve));
    await watchFor(70);
    expect(venue.asked).toBe(1);
    activity.heard({ tradeId: '1', tradedAtUs: 1, receivedAtUs: Date.now() * 1000 } as Trade, 1n);
    await watchFor(1);
    tell(new Response('[]'));
    await watchFor(1);
    expect(activity.status(Date.now()).state).toBe('trading');
  });

  it('judges a late answer by the time at which it comes', async () => {
    let tell: (response: Response) => void = () => undefined;
    venue.answer = () => new Promise((resolve) => (tell = resolve));
    await watchFor(70);
    const row = { id: 1, price: '1', qty: '1', time: (Date.now() - 12_000) * 1000, isBuyerMaker: true };
    expect(venue.asked).toBe(1);
    tell(new Response(JSON.stringify([row])));
    await watchFor(1);
    expect(replaced).toEqual(['silent: the venue traded BTCUSDT, and this connection did not tell']);
  });
});

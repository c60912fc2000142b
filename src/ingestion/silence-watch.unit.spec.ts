import { describe, expect, it } from 'vitest';
import type { Trade } from '../contracts/index.js';
import { SilenceWatch } from './silence-watch.service.js';
import { SymbolActivity } from './symbol-activity.js';

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

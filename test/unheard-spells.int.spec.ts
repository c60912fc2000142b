import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { ScriptedVenue } from './support/scripted-venue.js';

let database: TestDatabase;
let venue: ScriptedVenue;
let app: RunningApp;

beforeAll(async () => {
  database = await testDatabase();
  venue = await ScriptedVenue.start();
  // the trade comes as soon as the last symbol is subscribed
  venue.welcome = (socket) =>
    socket.on('message', (text: Buffer) => {
      if (text.includes('MSFT'))
        socket.send(`{"type":"trade","data":[{"s":"AAPL","p":1.5,"t":${Date.now()},"v":${++trades}}]}`);
    });
});

beforeEach(() => keepWhenRed());

afterAll(async () => {
  await app?.close();
  await venue.close();
});

let trades = 0;
type GapBody = { reason: string; from: string; to: string };

/** A process that reads AAPL, which trades at once, and MSFT, which never does. */
async function startProcess(): Promise<void> {
  app = await startApp(database.connection, {
    FEEDS: 'finnhub',
    FINNHUB_TOKEN: 'key',
    FINNHUB_SYMBOLS: 'AAPL,MSFT',
    FINNHUB_WS_URL: venue.wsUrl,
  });
}

const recorded = async (): Promise<number> => {
  const [row] = await database.dataSource.query('select count(*)::int as count from ingestion.coverage');
  const [{ count }] = await database.dataSource.query('select count(*)::int as count from processing.trade');
  return (row as { count: number }).count > 0 ? (count as number) : 0;
};
const spellsOf = async (symbol: string): Promise<GapBody[]> =>
  ((await app.get(`/api/v1/gaps?symbol=${symbol}`)).body.items as GapBody[]).filter(({ reason }) =>
    reason.startsWith('nobody was connected'),
  );

it('the time in which no process ran is a gap from the last trade before to a second after subscribing', async () => {
  await startProcess();
  await eventually(async () => expect(await recorded()).toBe(1));
  const firstMs = Date.now();
  // the spell at the start of a series that is new is looked at once a second, and is none
  await eventually(() => expect(Date.now() - firstMs).toBeGreaterThan(1500));
  expect(await spellsOf('AAPL')).toEqual([]);
  await app.close();

  const stoppedMs = Date.now();
  await startProcess();
  await eventually(async () => expect(await recorded()).toBe(2));
  const [spell] = await eventually(async () => {
    const spells = await spellsOf('AAPL');
    expect(spells.length).toBe(1);
    return spells;
  });
  expect(Date.parse(spell!.from)).toBeLessThanOrEqual(firstMs);
  expect(Date.parse(spell!.to)).toBeGreaterThan(stoppedMs + 1000);
  expect(await spellsOf('MSFT')).toEqual([]);
});

it('a connection that is lost is one gap, from the last frame before to the first one after', async () => {
  const before = await spellsOf('AAPL');
  const lostMs = Date.now();
  venue.handshake = 'refuse';
  const attempts = venue.attemptsMs.length;
  venue.open[0]!.terminate();
  await eventually(() => expect(venue.attemptsMs.length).toBeGreaterThan(attempts + 1), 30_000);
  venue.handshake = 'accept';
  await eventually(async () => expect(await recorded()).toBe(3), 30_000);
  const backMs = Date.now();
  const spells = await eventually(async () => {
    const now = await spellsOf('AAPL');
    expect(now.length).toBe(before.length + 1);
    return now;
  });
  const [spell] = spells; // newest first
  expect(Date.parse(spell!.from)).toBeLessThanOrEqual(lostMs);
  expect(Date.parse(spell!.to)).toBeGreaterThanOrEqual(backMs - 2000);
  expect(Date.parse(spell!.to)).toBeLessThanOrEqual(backMs + 2000);
  expect(await spellsOf('MSFT')).toEqual([]);
});

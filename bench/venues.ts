import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CONNECTORS } from '../src/ingestion/connectors/registry.js';
import type { FaultPlan } from '../src/ingestion/simulator/faults.js';
import { simulatedMarket } from '../src/ingestion/simulator/market.js';
import { simulatedFaces, startSimulator } from '../src/ingestion/simulator/simulator.server.js';
import { AppProcess, pause } from './app-process.js';
import type { OracleTrade } from './candle-oracle.js';
import { Checks } from './checks.js';
import { canonical, onTape, rows, ServedSet, storedTrades } from './served-set.js';
import { venueEnvironment } from './venue-environment.js';

/**
 * Reads a simulated venue while everything goes wrong that goes wrong with venues, then compares what was stored with
 * what was served. Exits non-zero when a trade is missing or doubled, a gap stays open, or a candle differs. Of Finnhub,
 * which numbers no trades and has no history, what is missing must lie in the holes that were recorded.
 */
const { values } = parseArgs({
  options: {
    face: { type: 'string', default: 'binance' },
    minutes: { type: 'string', default: '10' },
    'trades-per-second': { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const face = simulatedFaces.find((one) => one === values.face);
if (!face) throw new RangeError(`--face ${values.face}: expected one of ${simulatedFaces.join(', ')}`);
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
const rate = rateFor(Number(values['trades-per-second']));
const connector = CONNECTORS[face];
const checks = new Checks();

console.log(`venues: ${face} for ${minutes} minutes, ${values['trades-per-second']} trades/s, seed ${seed}`);
let frozenAtUs = Infinity;
const simulator = await startSimulator({
  face,
  rate,
  seed,
  key: 'the-key',
  faults: everythingThatGoesWrong(minutes),
  bunches: { everyTrades: 20_000, trades: 735 },
  wholeMilliseconds: true,
  limits: { connectionLifeMs: 100_000 },
  nowUs: () => Math.min(frozenAtUs, Date.now() * 1000),
});
const dataDir = mkdtempSync(join(tmpdir(), `tapeline-venues-${face}-`));
const app = await AppProcess.create(dataDir, {
  ...venueEnvironment(face, simulator.symbols, `127.0.0.1:${simulator.port}`),
  LOG_LEVEL: 'warn',
});
app.start();
await app.ready();
const startedMs = performance.now();
let mostAttempts = 0;
const attempts: { atMs: number; count: number }[] = [];
for (let elapsedS = 0; elapsedS < minutes * 60; elapsedS = (performance.now() - startedMs) / 1000) {
  await pause(Math.min(10_000, (minutes * 60 - elapsedS) * 1000));
  noteAttempts();
  await report();
}
frozenAtUs = Date.now() * 1000;
const served = new ServedSet(app, simulator.tape, frozenAtUs);
try {
  if (connector.contiguousIds) {
    await served.settled(15 * 60_000);
    noteAttempts();
    console.log(`settled ${((Date.now() * 1000 - frozenAtUs) / 1e6).toFixed(1)} s after the last trade`);
    await served.compare(checks);
    await compareGaps();
  } else await compareWithoutNumbers();
} catch (error) {
  checks.check('the system settles', String(error), 'settled');
  console.log(app.log.split('\n').slice(-40).join('\n'));
}
checks.check(`attempts in any 5 minutes`, mostAttempts, (most: number) => most <= connector.attemptsPer5Min);
console.log(`faults struck: ${JSON.stringify(simulator.faults.struck)}`);
console.log(`seen by the venue: ${JSON.stringify(simulator.counts)}`);
for (const [kind, count] of Object.entries(simulator.faults.struck)) {
  if (kind in everythingThatGoesWrong(minutes) && minutes >= 10) checks.check(`${kind} struck`, count > 0, true);
}
checks.check('SIGTERM ends it', await app.stop(), 0);
await simulator.close();
rmSync(dataDir, { recursive: true, force: true });
process.exit(checks.finish());

/** How many times its usual rate the market must run to make so many trades a second, from now on. */
function rateFor(tradesPerSecond: number): number {
  const usual = simulatedMarket({ seed });
  const [fromUs, toUs] = [Date.now() * 1000, (Date.now() + minutes * 60_000) * 1000];
  const trades = usual.instruments.reduce(
    (sum, { symbol }) => sum + usual.lastId(symbol, toUs)! - usual.lastId(symbol, fromUs)!,
    0,
  );
  return Math.min(1000, Math.max(0.1, (tradesPerSecond * minutes * 60) / trades));
}

/** About 1,000 trades a second: frequencies of trade frames are chosen for so many. */
function everythingThatGoesWrong(forMinutes: number): FaultPlan {
  const over = forMinutes * 60_000;
  const times = (perTenMinutes: number) => ({
    count: Math.max(1, Math.round((perTenMinutes * forMinutes) / 10)),
    over,
  });
  const anywhere: FaultPlan = {
    stall: { often: times(6), forMs: 4000 },
    disconnect: times(4),
    close: times(8),
    mute: times(2),
    shutdown: { often: times(3), afterMs: 3000 },
    badFrame: 0.0002,
    errorFrame: 0.00002,
    negative: 0.0001,
    wrongUnit: 0.001,
    slowHandshake: { often: 0.2, byMs: 3000 },
    refusedHandshake: 0.1,
    closeAtOpen: 0.1,
    // Binance's connector names its symbols in the URL, where the venue refuses none
    ...(face === 'binance' ? {} : { refusedSymbol: 0.05 }),
  };
  // without numbers nobody could see a trade that was dropped, or tell a repeated one from an equal one
  if (!connector.contiguousIds) return { ...anywhere, priceOnly: 0.001 };
  return {
    ...anywhere,
    drop: 0.0002,
    repeat: 0.001,
    reorder: { often: 0.001, withinMs: 500 },
    gap: { often: times(20), trades: 50 },
    rest429: { often: 0.02, retryAfterS: 2 },
    rest418: { often: 0.005, retryAfterS: 10 },
    rest5xx: 0.02,
    restHang: 0.01,
  };
}

function noteAttempts(): void {
  const atMs = performance.now();
  attempts.push({ atMs, count: simulator.counts.attempts });
  const before = attempts.findLast((one) => atMs - one.atMs >= 300_000)?.count ?? 0;
  mostAttempts = Math.max(mostAttempts, simulator.counts.attempts - before);
}

async function report(): Promise<void> {
  const body = (await (await fetch(`${app.url}/api/v1/feeds/${face}`)).json()) as Record<string, unknown>;
  const { state, reason, tradesPerSecond, openGaps, missingTrades, reconnects } = body;
  const elapsedS = Math.round((performance.now() - startedMs) / 1000);
  console.log(
    `${String(elapsedS).padStart(4)} s  ${tradesPerSecond}/s, ${openGaps} gaps open (${missingTrades} trades), ${reconnects} reconnects, ${state}: ${reason}`,
  );
}

async function compareGaps(): Promise<void> {
  const db = await app.database();
  const states = await rows(db, 'select state, count(*)::int as gaps from ingestion.gap group by state order by state');
  console.log(`gaps: ${JSON.stringify(states)}`);
  const [first] = await rows(
    db,
    `select count(*)::int as gaps, count(*) filter (where from_trade_id = 0)::int as before from ingestion.gap where state = 'unfillable'`,
  );
  checks.check('unfillable gaps but the time before each series', Number(first!.gaps) - Number(first!.before), 0);
  await db.end();
}

/** What was stored was served, as often as it was served; what is missing was traded while nobody listened. */
async function compareWithoutNumbers(): Promise<void> {
  let count = await countWithoutNumbers();
  // a hole is recorded once the venue is heard again, which without trades is its ping once a minute
  for (const untilMs = performance.now() + 180_000; performance.now() < untilMs && count.unexplained > 0;) {
    await pause(5000);
    count = await countWithoutNumbers();
  }
  console.log(`\n${JSON.stringify(count)}`);
  checks.check('stored trades that were never served, or are stored too often', count.foreign, 0);
  checks.check('missing trades outside of every recorded hole', count.unexplained, 0);
  checks.check('candles that do not count the stored trades', count.wrongCandles, 0);
  checks.check('candles with a missing trade that do not say incomplete', count.unmarked, 0);
}

async function countWithoutNumbers() {
  const db = await app.database();
  const { symbols } = (await (await fetch(`${app.url}/api/v1/feeds/${face}`)).json()) as {
    symbols: { symbol: string; state: string }[];
  };
  const refused = new Set(symbols.filter(({ state }) => state === 'refused').map(({ symbol }) => symbol));
  const count = {
    stored: 0,
    prices: 0,
    foreign: 0,
    missing: 0,
    unexplained: 0,
    wrongCandles: 0,
    unmarked: 0,
    holes: 0,
  };
  for (const row of await rows(db, 'select symbol from processing.series order by symbol')) {
    const symbol = row.symbol as string;
    const stored = await storedTrades(db, symbol);
    const real = stored.filter(({ size }) => size !== '0');
    const holes = (await rows(
      db,
      `select (extract(epoch from from_at) * 1000000)::float8 as from_us, (extract(epoch from to_at) * 1000000)::float8 as to_us
       from ingestion.gap where symbol = $1 and state = 'unfillable'`,
      [symbol],
    )) as { from_us: number; to_us: number }[];
    const { missing, foreign } = missingAndForeign(symbol, real);
    // a trade is heard a moment after it was made
    const isInHole = ({ atUs }: OracleTrade): boolean =>
      holes.some(({ from_us, to_us }) => atUs >= from_us - 2_000_000 && atUs <= to_us);
    count.prices += stored.length - real.length;
    count.stored += real.length;
    count.holes += holes.length;
    count.foreign += foreign;
    count.missing += missing.length;
    // a symbol that is refused is told as such; its hole is kept with its next trade, which does not come any more
    const isRefused = refused.has(symbol);
    const isTold = (trade: OracleTrade): boolean => isInHole(trade) || (isRefused && trade.atUs > real.at(-1)!.at_us);
    count.unexplained += missing.filter((trade) => !isTold(trade)).length;
    const answer = await fetch(`${app.url}/api/v1/ohlcv/${symbol}?window=1m&limit=1000`);
    const { candles } = (await answer.json()) as {
      candles: { openTime: string; trades: number; incomplete: boolean }[];
    };
    for (const { openTime, trades, incomplete } of candles) {
      const minute = minuteOf(Date.parse(openTime) * 1000);
      if (trades !== real.filter(({ at_us }) => minuteOf(at_us) === minute).length) count.wrongCandles++;
      if (!incomplete && missing.some(({ atUs }) => minuteOf(atUs) === minute)) count.unmarked++;
    }
  }
  await db.end();
  return count;
}

/** Trades are told apart by all they have: instant, price and size, each as often as it was served. */
function missingAndForeign(
  symbol: string,
  stored: readonly { price: string; size: string; at_us: number }[],
): { missing: OracleTrade[]; foreign: number } {
  const left = new Map<string, number>();
  for (const { price, size, at_us } of stored) {
    const key = `${at_us} ${price} ${size}`;
    left.set(key, (left.get(key) ?? 0) + 1);
  }
  const missing: OracleTrade[] = [];
  const firstUs = stored[0]!.at_us;
  const tapeSymbol = onTape(symbol);
  for (const trade of served.served(tapeSymbol, simulator.tape.firstIdSince(tapeSymbol, firstUs)!)) {
    const key = `${trade.atUs} ${canonical(trade.price)} ${canonical(trade.size)}`;
    const times = left.get(key) ?? 0;
    if (times > 0) left.set(key, times - 1);
    else if (trade.atUs > firstUs) missing.push(trade);
  }
  return { missing, foreign: [...left.values()].reduce((sum, times) => sum + times, 0) };
}

function minuteOf(us: number): number {
  return Math.floor(us / 60_000_000);
}

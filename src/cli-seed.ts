import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { installSampleRules } from './alerts/rules/seed.tool.js';
import { numberOf, UsageError } from './cli-arguments.js';
import { withDatabase } from './cli-database.js';
import { formatInstant, parseInstant } from './contracts/index.js';
import { createApp } from './create-app.js';
import { MOST_SAMPLE_MINUTES, recordSample, type Sample, simulatedSymbols } from './ingestion/seed.tool.js';
import { Bus } from './platform/bus/index.js';
import { readSettings, type Settings } from './platform/config/index.js';
import { servingConnections } from './platform/database/index.js';
import { createLogger } from './platform/observability/index.js';

const MINUTE_US = 60_000_000;
/** So long a second run has nothing to do, and at most so much the feed fetches behind the sample. */
const STEP_US = 10 * MINUTE_US;
const LOOK_EVERY_MS = 100;
/** The last window of a quiet market closes by the wall clock, so long after its last trade. */
const CLOSED_WITHIN_MS = 20_000;
const MOVES_WITHIN_MS = 30_000;

/** Records a sample of the simulated markets through an application without feeds, in this process. */
export async function runSeed(args: string[]): Promise<void> {
  const sample = sampleOf(args);
  const settings = readSettings(process.env);
  await withDatabase(settings, async (dataSource, embedded) => {
    const isBeside = (await servingConnections(dataSource)) > 0;
    // a running Tapeline merges and closes its candles itself, in order
    const modules = isBeside
      ? (['ingestion', 'processing'] as const)
      : (['ingestion', 'processing', 'aggregation'] as const);
    Object.assign(settings, { FEEDS: [], MODULES: modules, LOG_LEVEL: 'warn' });
    const app = await createApp(settings, createLogger(settings), embedded);
    try {
      await app.init();
      console.log(
        `Simulated markets (source "simulator"): ${sample.symbols.length} with ${sample.minutes} minutes each until ${formatInstant(sample.untilUs)}${isBeside ? ', beside a running Tapeline' : ''}`,
      );
      await seed(app, { ...sample, isBeside });
      tellRules(await installSampleRules(app.get(Bus), dataSource));
      tellWhereToLook(settings, isBeside);
    } finally {
      await app.close();
    }
  });
}

function sampleOf(args: string[]): Omit<Sample, 'isBeside'> {
  const { values } = parseArgs({
    args,
    options: {
      markets: { type: 'string', default: String(simulatedSymbols.length) },
      minutes: { type: 'string', default: '1000' },
      until: { type: 'string' },
    },
  });
  const nowUs = Date.now() * 1000;
  const untilUs = values.until === undefined ? Math.floor(nowUs / STEP_US) * STEP_US : parseInstant(values.until);
  if (untilUs === undefined || untilUs > nowUs || untilUs % MINUTE_US !== 0)
    throw new UsageError('--until must be a whole minute of the past such as 2026-08-09T21:00:00Z');
  return {
    symbols: simulatedSymbols.slice(0, wholeOf('--markets', values.markets, simulatedSymbols.length)),
    minutes: wholeOf('--minutes', values.minutes, MOST_SAMPLE_MINUTES),
    untilUs,
  };
}

function wholeOf(option: string, text: string, most: number): number {
  const value = numberOf(option, text, 1, most);
  if (!Number.isInteger(value)) throw new UsageError(`${option} must be a whole number`);
  return value;
}

async function seed(app: NestFastifyApplication, sample: Sample): Promise<void> {
  const startedMs = performance.now();
  let total = 0;
  for await (const { fromUs, toUs, trades } of recordSample(app, sample)) {
    total += trades;
    const said = trades > 0 ? `${trades.toLocaleString('en')} trades recorded` : 'all of it is recorded already';
    console.log(`  ${formatInstant(fromUs)} to ${formatInstant(toUs)}: ${said}`);
  }
  const bus = app.get(Bus);
  await delivered(bus);
  if (total > 0 && !sample.isBeside) {
    await closed(app, sample);
    await delivered(bus);
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  console.log(
    total === 0
      ? 'Nothing to do: every trade of this sample is recorded already'
      : `${total.toLocaleString('en')} trades recorded in ${seconds} s, each once`,
  );
}

/** Waits until every consumer has what was appended until now; without progress it is left to who runs them. */
async function delivered(bus: Bus): Promise<void> {
  const startedMs = performance.now();
  let [left, movedMs] = [Infinity, startedMs];
  for (;;) {
    const ageSeconds = (performance.now() - startedMs) / 1000;
    const behind = (await bus.lag()).filter(({ waiting, oldestSeconds }) => waiting > 0 && oldestSeconds > ageSeconds);
    const waiting = behind.reduce((sum, one) => sum + one.waiting, 0);
    if (waiting === 0) return;
    if (waiting < left) [left, movedMs] = [waiting, performance.now()];
    if (performance.now() - movedMs > MOVES_WITHIN_MS) {
      console.log(
        `${waiting} events wait for ${behind.map(({ consumer }) => consumer).join(', ')}, which no process runs`,
      );
      return;
    }
    await pause(LOOK_EVERY_MS);
  }
}

/** Waits until the last minute of each market is closed; what is late closes at the next start. */
async function closed(app: NestFastifyApplication, { symbols, untilUs }: Sample): Promise<void> {
  const untilMs = performance.now() + CLOSED_WITHIN_MS;
  const server = app.getHttpAdapter().getInstance();
  for (const symbol of symbols) {
    const path = `/api/v1/ohlcv/${symbol}?source=simulator&window=1m&limit=1&to=${formatInstant(untilUs)}`;
    const isOpen = async (): Promise<boolean> =>
      (await server.inject(path)).json<{ candles: { closed: boolean }[] }>().candles[0]?.closed === false;
    while ((await isOpen()) && performance.now() < untilMs) await pause(LOOK_EVERY_MS);
  }
}

function tellRules(installed: number): void {
  console.log(
    installed === 0 ? 'The sample rules are there already' : `${installed} sample rules installed: GET /api/v1/rules`,
  );
}

function tellWhereToLook({ HOST, PORT }: Settings, isBeside: boolean): void {
  const host = HOST === '0.0.0.0' || HOST === '::' ? 'localhost' : HOST;
  const url = `http://${host}:${PORT}`;
  console.log(`All of it is simulated, and every answer says so: "source":"simulator".
What lies between the sessions was left out, and stands as a gap: ${url}/api/v1/gaps
Look at it${isBeside ? '' : ' after npm start'}: ${url}/dashboard, or
  curl -s '${url}/api/v1/ohlcv/BTCUSDT?source=simulator&window=1m&limit=1000'
  curl -s '${url}/api/v1/24h-change/BTCUSDT?source=simulator'
  curl -s '${url}/api/v1/indicators/BTCUSDT?source=simulator&interval=1m&names=sma:20,rsi:14,macd'
  curl -s '${url}/api/v1/correlation?symbols=BTCUSDT,ETHUSDT&source=simulator&interval=1m&length=240'`);
}

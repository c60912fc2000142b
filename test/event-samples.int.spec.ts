import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as contracts from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase, type TestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

const FOLDER = join(import.meta.dirname, 'fixtures/events');
const durable = Object.values(contracts as Record<string, unknown>).filter(
  (value): value is contracts.DurableEvent<unknown> =>
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'durable',
);

let database: TestDatabase;
let app: RunningApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startApp(database.connection, {
    MODULES: 'processing,aggregation,alerts,streaming,ingestion',
    FEEDS: 'binance',
    BINANCE_WS_URL: 'ws://127.0.0.1:1',
  });
  await app.app.get(Bus).whenReady();
});

beforeEach(() => keepWhenRed());

afterAll(() => app?.close());

describe('the frozen samples', () => {
  it('are one for each durable event, and no other', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(durable.map((event) => `${event.name}.json`).sort());
  });

  it.each(durable)('let every consumer of today read $name', async (event) => {
    const bus = app.app.get(Bus);
    const sample = JSON.parse(readFileSync(join(FOLDER, `${event.name}.json`), 'utf8')) as unknown;
    await bus.transaction((tx) => bus.append(tx, event, sample));
    await eventually(async () =>
      expect(await database.dataSource.query('select consumer, error from bus.delivery')).toEqual([]),
    );
    expect(await database.dataSource.query('select source_id, message from bus.dead_letter')).toEqual([]);
  });
});

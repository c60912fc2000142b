import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Evaluator } from '../src/alerts/evaluation/evaluator.service.js';
import { EvaluatorStore } from '../src/alerts/evaluation/evaluator.store.js';
import { type Trade, TradesReceivedV1 } from '../src/contracts/index.js';
import { Bus } from '../src/platform/bus/index.js';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed } from './support/database.js';
import { eventually } from './support/eventually.js';
import { madeTrade, type Recording, startRecording } from './support/recording.js';

const SECOND = 1_000_000;
const startUs = Math.floor(Date.now() / 1000 - 60) * SECOND;
let recording: Recording;
let nextId = 1;

const trade = (seconds: number, price: number): Trade =>
  madeTrade({
    symbol: 'AAAUSDT',
    tradeId: String(nextId++),
    price: String(price),
    tradedAtUs: startUs + seconds * SECOND,
  });
const told = (app: RunningApp, ...trades: Trade[]): void => app.app.get(Bus).emit(TradesReceivedV1, { trades });
const stateOf = async (app: RunningApp): Promise<string> => {
  const { body } = await app.get('/health');
  return /"evaluator":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? 'none';
};
const is = (app: RunningApp, state: string) => eventually(async () => expect(await stateOf(app)).toBe(state), 20_000);
const query = <Row>(text: string): Promise<Row[]> => recording.database.dataSource.query(text);
const alerts = () =>
  query<{ resolved: boolean }>('select resolved_at is not null as resolved from alerts.alert order by id');
const endSessionOfLease = () =>
  query(`select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
         where l.locktype = 'advisory' and l.objsubid = 1 and d.datname = current_database()
           and ((l.classid::bigint << 32) | l.objid::bigint) = hashtext('alerts.evaluator')::bigint`);

beforeAll(async () => {
  recording = await startRecording({ MODULES: 'processing,aggregation,alerts' });
  await is(recording.app(), 'evaluating');
});
afterAll(() => recording.close());
beforeEach(keepWhenRed);

it('goes on elsewhere where a process was that lost its lease amid a transaction, and leaves no alert open for ever', async () => {
  const first = recording.app();
  await first.post('/api/v1/rules', { id: 'stuck', symbol: 'AAAUSDT', condition: 'price > 105' });
  await recording.record([trade(0, 100)]);
  await eventually(() => expect(first.app.get(Evaluator).cold()).toEqual([]));
  const second = await startApp(recording.database.connection, { MODULES: 'alerts', HISTORY_URL: first.url });
  const holder = recording.database.dataSource.createQueryRunner();
  try {
    await second.app.get(Bus).whenReady();
    first.app.get(EvaluatorStore).lease = async () => undefined; // it does not come back to it
    await holder.startTransaction();
    await holder.query(`select from alerts.position where symbol = 'AAAUSDT' for update`);
    told(first, trade(2, 150));
    const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%alerts.position%'`;
    await eventually(async () => expect(await query(waits)).toHaveLength(1));
    await endSessionOfLease();
    await is(first, 'standing by');
    await eventually(async () =>
      expect(await query(waits.replace('alerts.position', 'alerts.evaluator set'))).toHaveLength(1),
    );
    expect(await alerts()).toEqual([]);
    await holder.commitTransaction();
    await is(second, 'evaluating');
    expect(await alerts()).toEqual([{ resolved: false }]);
    told(first, trade(5, 99));
    await eventually(async () => expect(await alerts()).toEqual([{ resolved: true }]), 20_000);
  } finally {
    await holder.release();
    await second.close();
  }
});

it('writes nothing of an epoch that is over, though nobody told it, and begins anew once its lease is gone', async () => {
  await recording.restart();
  const app = recording.app();
  await is(app, 'evaluating');
  const before = await query('select * from alerts.position');
  await app.app.get(EvaluatorStore).raiseEpoch();
  told(app, trade(10, 150));
  await eventually(async () => expect(await query(`select from processing.trade`)).toHaveLength(nextId - 1));
  const refused = app.app.get(Bus).transaction((tx) => app.app.get(Evaluator).inTurn(tx, () => {}));
  await expect(refused).rejects.toThrow('does not evaluate');
  expect(await query('select * from alerts.position')).toEqual(before);
  await endSessionOfLease();
  await eventually(async () => expect(await alerts()).toEqual([{ resolved: true }, { resolved: false }]), 20_000);
});

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.js';
import { keepWhenRed, testDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';

let app: RunningApp;

beforeAll(async () => {
  const { connection, dataSource } = await testDatabase();
  await dataSource.query(
    `insert into alerts.channel (name, type, config, failures, paused_until)
     values ('ops', 'webhook', '{"url":"http://127.0.0.1:9/"}', 3, now() + interval '1 h'),
       ('fine', 'webhook', '{"url":"http://127.0.0.1:9/"}', 0, null)`,
  );
  app = await startApp(connection, {
    MODULES: 'ingestion,processing,alerts',
    FEEDS: 'fear-greed',
    FEAR_GREED_URL: 'http://127.0.0.1:9/',
    HISTORY_URL: 'http://127.0.0.1:9/',
  });
});
beforeEach(keepWhenRed);
afterAll(() => app.close());

it('shows what is called outward and fails, in health and as a metric, without being unready for it', async () => {
  await eventually(async () => {
    const { body } = await app.get('/health');
    const { outbound } = body.details;
    expect(outbound).toMatchObject({ status: 'up', targets: 2 });
    const byTarget = Object.fromEntries(outbound.failing.map((one: { target: string }) => [one.target, one]));
    expect(byTarget['channel ops']).toEqual({
      target: 'channel ops',
      state: 'open',
      failures: 3,
      openForSeconds: expect.any(Number),
    });
    expect(byTarget['fear-greed FEARGREED'].failures).toBeGreaterThan(0);
    expect(byTarget['channel fine']).toBeUndefined();
  }, 15_000);
  await eventually(async () => {
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    expect(metrics).toContain('outbound_circuit_state{target="channel ops"} 2');
    expect(metrics).toMatch(/outbound_circuit_state\{target="fear-greed FEARGREED"\} [012]/);
  });
});

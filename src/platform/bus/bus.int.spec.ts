import 'reflect-metadata';
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pino from 'pino';
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keepWhenRed, testDatabase, type TestDatabase } from '../../../test/support/database.js';
import { eventually } from '../../../test/support/eventually.js';
import { durable, volatile } from '../../contracts/index.js';
import { ConfigModule, readSettings } from '../config/index.js';
import { DatabaseModule } from '../database/index.js';
import { PermanentError } from '../errors/index.js';
import { ObservabilityModule } from '../observability/index.js';
import { Bus, BusModule, Consumes, ConsumesBatch, happening, Hears, HearsQueued } from './index.js';
import { EventStore } from './event.store.js';

type Paid = Readonly<{ order: number; note?: string; poison?: 'always' | 'permanent' | 'once' }>;
const PaidV1 = durable<Paid>('shop.order-paid.v1');
const ShippedV1 = durable<Paid>('shop.order-shipped.v1');
const SeenV1 = volatile<Paid>('shop.order-seen.v1');

const heard: string[] = [];
const calls: number[] = [];
let queuedRun: (batch: readonly Paid[]) => Promise<void>;

@Injectable()
class Shop {
  constructor(private readonly bus: Bus) {}

  @Consumes(PaidV1, 'shop.ship-order')
  async onPaid(paid: Paid, tx: EntityManager): Promise<void> {
    calls.push(paid.order);
    await tx.query('insert into shop.shipment (order_id) values ($1)', [paid.order]);
    if (paid.poison === 'once' && calls.filter((order) => order === paid.order).length === 1)
      throw new Error('not yet');
    if (paid.poison === 'always') throw new Error('never works');
    if (paid.poison === 'permanent') throw new PermanentError('process.failed', 'cannot ever work');
    await this.bus.append(tx, ShippedV1, paid);
  }

  @ConsumesBatch(ShippedV1, 'shop.count-shipments', { batch: 50, lingerMs: 5 })
  async onShipped(events: readonly Paid[], tx: EntityManager): Promise<void> {
    await tx.query('update shop.total set shipped = shipped + $1', [events.length]);
    if (events.some((one) => one.order === 666))
      throw new PermanentError('process.failed', 'one of the batch is poison');
  }

  @Hears(PaidV1, 'shop.show-paid')
  onPaidHeard(paid: Paid): void {
    heard.push(`paid ${paid.order}`);
    if (paid.order === 13) throw new Error('a hearer that throws');
  }

  @HearsQueued(SeenV1, 'shop.count-seen', { bound: () => 3, take: 2, weigh: () => 1 })
  async onSeen(batch: readonly Paid[]): Promise<void> {
    await queuedRun(batch);
  }
}

let database: TestDatabase;
let db: DataSource;
const open: INestApplicationContext[] = [];

async function startProcess(): Promise<{ bus: Bus; app: INestApplicationContext }> {
  @Module({
    imports: [
      ConfigModule.for(readSettings({})),
      ObservabilityModule.for(pino({ level: 'silent' })),
      DatabaseModule.for(database.connection),
      BusModule,
    ],
    providers: [Shop],
  })
  class ShopModule {}
  const app = await NestFactory.createApplicationContext(ShopModule, { logger: false });
  open.push(app);
  const bus = app.get(Bus);
  await bus.whenReady();
  return { bus, app };
}

const pay = (bus: Bus, ...orders: Paid[]): Promise<void> =>
  bus.transaction(async (tx) => {
    for (const paid of orders) await bus.append(tx, PaidV1, paid);
  });
const shipments = async (): Promise<number[]> =>
  ((await db.query('select order_id from shop.shipment order by 1')) as { order_id: number }[]).map(
    (row) => row.order_id,
  );
const waiting = async (): Promise<number> =>
  ((await db.query('select count(*)::int as n from bus.delivery')) as [{ n: number }])[0].n;
const deadLetters = (): Promise<Record<string, unknown>[]> => db.query('select * from bus.dead_letter order by id');

beforeAll(async () => {
  database = await testDatabase();
  db = database.dataSource;
  await db.query('create schema shop');
  await db.query('create table shop.shipment (order_id int primary key)');
  await db.query('create table shop.total (shipped int not null)');
});

beforeEach(async () => {
  keepWhenRed();
  heard.length = 0;
  calls.length = 0;
  await db.query('truncate shop.shipment, shop.total, bus.delivery, bus.dead_letter');
  await db.query('insert into shop.total values (0)');
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

describe('the bus', () => {
  it('delivers a durable event to its consumer once, and follow-ups of the consumer too', async () => {
    const { bus } = await startProcess();
    await pay(bus, ...Array.from({ length: 100 }, (_, order) => ({ order })));
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(await shipments()).toHaveLength(100);
    expect(await db.query('select shipped from shop.total')).toEqual([{ shipped: 100 }]);
    expect(heard).toHaveLength(100);
  });

  it('delivers what was told before a consumer took part, and committed after it had caught up, without a look for it', async () => {
    const { bus } = await startProcess();
    bus.standBy('shop.ship-order', true);
    await bus.transaction(async (tx) => {
      await bus.append(tx, PaidV1, { order: 1 });
      bus.standBy('shop.ship-order', false);
      await bus.idle('shop.ship-order');
    });
    await pay(bus, { order: 2 });
    await bus.idle('shop.ship-order');
    expect(calls).toEqual([1, 2]);
  });

  it('tells nobody anything of a transaction that rolled back', async () => {
    const { bus } = await startProcess();
    const failed = bus.transaction(async (tx) => {
      await bus.append(tx, PaidV1, { order: 1 });
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    await pay(bus, { order: 2 });
    await eventually(async () => expect(await shipments()).toEqual([2]));
    expect(heard).toEqual(['paid 2']);
  });

  it('tells nobody anything of a part of a transaction that was undone', async () => {
    const { bus } = await startProcess();
    await bus.transaction(async (tx) => {
      await bus.append(tx, PaidV1, { order: 21 });
      const undone = bus.savepoint(tx, async () => {
        await bus.append(tx, PaidV1, { order: 22 });
        throw new Error('undone');
      });
      await expect(undone).rejects.toThrow('undone');
      await bus.savepoint(tx, () => bus.append(tx, PaidV1, { order: 23 }));
    });
    await eventually(async () => expect(await shipments()).toEqual([21, 23]));
    expect(heard).toEqual(['paid 21', 'paid 23']);
  });

  it('takes many events of several kinds in their order, whatever their text, and delivers each to its own consumers', async () => {
    const { bus } = await startProcess();
    const told: string[] = [];
    const [{ before }] = (await db.query('select coalesce(max(id), 0) as before from bus.event')) as [
      { before: string },
    ];
    const many = Array.from({ length: 300 }, (_, order) =>
      happening(order % 3 === 0 ? ShippedV1 : PaidV1, { order, note: `"${order}"\n\\n,{}` }),
    );
    await bus.transaction(async (tx) => {
      await bus.appendAll(tx, []);
      await bus.appendAll(tx, many);
      bus.afterCommit(tx, () => told.push('committed'));
    });
    expect(told).toEqual(['committed']);
    const stored = await bus.eventsAfter(before, [PaidV1, ShippedV1], 300);
    expect(stored.map(({ name, data }) => ({ name, data }))).toEqual(
      many.map(({ event: { name }, data }) => ({ name, data })),
    );
    const paid = many.flatMap(({ event, data }) => (event === PaidV1 ? [(data as Paid).order] : []));
    expect(heard).toEqual(paid.map((order) => `paid ${order}`));
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(await shipments()).toEqual(paid);
    expect(await db.query('select shipped from shop.total')).toEqual([{ shipped: 300 }]);
  });

  it('refuses to append outside a transaction of the bus', async () => {
    const { bus } = await startProcess();
    await expect(bus.append(db.manager, PaidV1, { order: 1 })).rejects.toThrow(/bus\.transaction/);
  });

  it('tries again what failed, with nothing left of the first try', async () => {
    const { bus } = await startProcess();
    await pay(bus, { order: 5, poison: 'once' });
    await eventually(async () => expect(await shipments()).toEqual([5]));
    expect(calls).toEqual([5, 5]);
    expect(await deadLetters()).toEqual([]);
  });

  it('turns a permanent failure into a dead letter at once, while everything behind it flows', async () => {
    const { bus } = await startProcess();
    await pay(bus, { order: 1 }, { order: 2, poison: 'permanent' }, { order: 3 });
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(await shipments()).toEqual([1, 3]);
    const [letter, ...others] = await deadLetters();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      stage: 'process',
      code: 'process.failed',
      source_id: 'shop.ship-order',
      attempts: 1,
    });
    expect(JSON.parse(letter!.payload as string)).toMatchObject({ name: 'shop.order-paid.v1', data: { order: 2 } });
  });

  it('gives up after the last attempt, and does not hold up others meanwhile', async () => {
    const { bus } = await startProcess();
    await pay(bus, { order: 1, poison: 'always' });
    await pay(bus, { order: 2 });
    await eventually(async () => expect(await shipments()).toEqual([2]));
    await db.query(`update bus.delivery set attempts = 9, due_at = now() where consumer = 'shop.ship-order'`);
    await eventually(async () => {
      await db.query(`update bus.delivery set due_at = now() where due_at > now() and error is not null`);
      expect(await deadLetters()).toMatchObject([{ attempts: 10, message: 'never works' }]);
    });
  });

  it('isolates the poison one of a batch', async () => {
    const { bus } = await startProcess();
    await pay(bus, { order: 1 }, { order: 666 }, { order: 3 });
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(await db.query('select shipped from shop.total')).toEqual([{ shipped: 2 }]);
    expect(await deadLetters()).toMatchObject([{ source_id: 'shop.count-shipments' }]);
  });

  it('delivers at the next start what a crash left claimed', async () => {
    const { bus, app } = await startProcess();
    await app.close();
    open.length = 0;
    await db.query(`insert into bus.event (name, data) values ('shop.order-paid.v1', '{"order":7}')`);
    await db.query(
      `insert into bus.delivery (consumer, event_id, event_at, attempts, due_at)
       select 'shop.ship-order', id, at, 1, now() + interval '30 s' from bus.event order by id desc limit 1`,
    );
    expect(bus).toBeDefined();
    await startProcess();
    await eventually(async () => expect(await shipments()).toEqual([7]));
    await eventually(async () => expect(await waiting()).toBe(0));
  });

  it('buries what crashed its process on every attempt', async () => {
    await startProcess();
    await db.query(`insert into bus.event (name, data) values ('shop.order-paid.v1', '{"order":8}')`);
    await db.query(
      `insert into bus.delivery (consumer, event_id, event_at, attempts)
       select 'shop.ship-order', id, at, 10 from bus.event order by id desc limit 1`,
    );
    await eventually(async () => expect(await deadLetters()).toMatchObject([{ code: 'process.crashed' }]));
    expect(calls).toEqual([]);
  });

  it('gives one effect when two processes share the deliveries and one takes over what the other holds', async () => {
    const [first, second] = [await startProcess(), await startProcess()];
    const orders = Array.from({ length: 200 }, (_, order) => ({ order }));
    await Promise.all([pay(first.bus, ...orders.slice(0, 100)), pay(second.bus, ...orders.slice(100))]);
    await db.query('update bus.delivery set due_at = now()'); // as if every lease had run out while both work
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(await shipments()).toHaveLength(200);
    expect(await db.query('select shipped from shop.total')).toEqual([{ shipped: 200 }]);
    expect(await deadLetters()).toEqual([]);
  });

  it('forgets a consumer that the code no longer has', async () => {
    await db.query(
      `insert into bus.consumer values ('ingestion.gone-long-ago', 'shop.order-paid.v1') on conflict do nothing`,
    );
    await startProcess();
    await eventually(async () =>
      expect(await db.query(`select from bus.consumer where name like 'ingestion.%'`)).toEqual([]),
    );
  });

  it('goes on when a hearer throws', async () => {
    const { bus } = await startProcess();
    await pay(bus, { order: 13 });
    await pay(bus, { order: 14 });
    expect(heard).toEqual(['paid 13', 'paid 14']);
  });

  it('bounds what waits for a slow hearer, and drops and counts the rest', async () => {
    const { bus } = await startProcess();
    const seen: number[][] = [];
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    queuedRun = async (batch) => {
      await gate;
      seen.push(batch.map((one) => one.order));
    };
    for (let order = 1; order <= 6; order++) bus.emit(SeenV1, { order });
    release();
    await eventually(() => expect(seen).toEqual([[1], [2, 3]]));
  });

  it('reads events after a position, and drops only partitions that are old and owe nothing', async () => {
    const { bus, app } = await startProcess();
    await pay(bus, { order: 21 }, { order: 22 });
    await eventually(async () => expect(await waiting()).toBe(0));
    const all = await bus.eventsAfter('0', [PaidV1], 1000);
    const [before, last] = all.slice(-2);
    expect((await bus.eventsAfter(before!.eventId, [PaidV1], 10)).map((event) => event.data)).toEqual([{ order: 22 }]);
    expect(last!.data).toEqual({ order: 22 });

    await db.query(
      `create table bus.event_2020010100 partition of bus.event for values from ('2020-01-01 00:00Z') to ('2020-01-01 01:00Z')`,
    );
    await db.query(
      `create table bus.event_2020010101 partition of bus.event for values from ('2020-01-01 01:00Z') to ('2020-01-01 02:00Z')`,
    );
    await db.query(
      `insert into bus.delivery (consumer, event_id, event_at, due_at) values ('shop.elsewhere', 1, '2020-01-01 01:30Z', 'infinity')`,
    );
    expect(await app.get(EventStore).trim(3_600_000)).toEqual(['event_2020010100']);
    await db.query(`delete from bus.delivery`);
    expect(await app.get(EventStore).trim(3_600_000)).toEqual(['event_2020010101']);
  });
});

import 'reflect-metadata';
import { expect, it } from 'vitest';
import { inVirtualTime, pass } from '../../test/support/virtual-time.js';
import { Settings } from '../platform/config/index.js';
import { Feeds } from './feeds.service.js';

inVirtualTime();

it('feeds start once it is known where series without trade numbers ended before this process', async () => {
  const { promise: known, resolve: know } = Promise.withResolvers<void>();
  const nothing = (): void => undefined;
  const settings = Object.assign(new Settings(), {
    FEEDS: ['finnhub'],
    FINNHUB_TOKEN: 'key',
    FINNHUB_WS_URL: 'ws://127.0.0.1:1',
  });
  const parts = [
    settings,
    { whenReady: () => Promise.resolve(), emit: nothing },
    {},
    {},
    {},
    {},
    { whenReady: () => known, note: nothing },
    { start: nothing, stop: nothing, received: nothing, published: nothing },
    {},
    {},
    { register: nothing },
  ];
  const feeds = new Feeds(...(parts as ConstructorParameters<typeof Feeds>));
  feeds.onApplicationBootstrap();
  await pass(1000);
  expect(feeds.statuses()).toEqual([]);
  know();
  await pass(1000);
  expect(feeds.statuses().map(({ source }) => source)).toEqual(['finnhub']);
  await feeds.onModuleDestroy();
});

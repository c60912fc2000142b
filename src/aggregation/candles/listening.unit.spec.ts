import 'reflect-metadata';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FeedState } from '../../contracts/index.js';
import { readSettings } from '../../platform/config/index.js';
import { Listening } from './listening.service.js';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

const listening = (env: Record<string, string> = {}): Listening =>
  new Listening(readSettings({ FEEDS: 'binance,kraken', ...env }));
const tell = (to: Listening, source: string, state: FeedState): void =>
  to.onFeedChanged({ source, state, reason: 'a spec says so', atUs: 0 });

it('holds every feed from the start until it has been connected for five seconds', () => {
  const one = listening();
  expect(one.unsettled()).toEqual(['binance', 'kraken']);
  tell(one, 'binance', 'connected');
  vi.advanceTimersByTime(4900);
  expect(one.unsettled()).toEqual(['binance', 'kraken']);
  vi.advanceTimersByTime(200);
  expect(one.unsettled()).toEqual(['kraken']);
});

it('holds a feed again while it is not connected, and counts anew after that', () => {
  const one = listening();
  for (const source of ['binance', 'kraken']) tell(one, source, 'connected');
  vi.advanceTimersByTime(6000);
  expect(one.unsettled()).toEqual([]);
  for (const state of ['waiting', 'connecting', 'connected', 'connected'] as const) tell(one, 'kraken', state);
  vi.advanceTimersByTime(4000);
  tell(one, 'kraken', 'connected'); // another reason, no new connection
  expect(one.unsettled()).toEqual(['kraken']);
  vi.advanceTimersByTime(1100);
  expect(one.unsettled()).toEqual([]);
});

it('holds none where no feed runs', () => {
  expect(listening({ MODULES: 'processing,aggregation' }).unsettled()).toEqual([]);
});

import type { InputRef } from '../conditions/index.js';
import { runsToNow } from './windows.js';

/** What moves inputs, as bits. */
export const TOPICS = {
  /** The last price. */
  price: 1,
  trade: 2,
  /** A minute began, or one that is over became another. */
  minute: 4,
  /** Time passed, or something was heard of the feed. */
  feed: 8,
  anomaly: 16,
  custom: 32,
  sentiment: 64,
} as const;
export type Topic = keyof typeof TOPICS;
export const EVERY_TOPIC = Object.keys(TOPICS) as Topic[];

/** Which of them an input may move with: it stays as it is while none of these does. */
export function topicsOf(input: InputRef): number {
  switch (input.kind) {
    case 'indicator':
      return TOPICS.trade;
    case 'window':
      if (!runsToNow(input.fn)) return TOPICS.minute;
      return TOPICS.minute | (input.of === 'price' && input.fn !== 'sum' ? TOPICS.price : TOPICS.trade);
    case 'custom':
      return TOPICS.custom;
    case 'anomaly':
      return TOPICS.anomaly;
    case 'variable':
      return ofVariable(input.name);
  }
}

function ofVariable(name: Extract<InputRef, { kind: 'variable' }>['name']): number {
  switch (name) {
    case 'price':
      return TOPICS.price;
    case 'size':
      return TOPICS.trade;
    case 'sentiment':
      return TOPICS.sentiment;
    case 'feed_age_s':
      return TOPICS.feed;
    default:
      return TOPICS.trade | TOPICS.minute;
  }
}

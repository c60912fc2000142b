export { Market, type MarketTrade, type Warmth } from './market.js';
export type { MinuteBar } from './minutes.js';
export { TOPICS, topicsOf, type Topic } from './topics.js';

import type { PollId } from '../../contracts/index.js';
import type { Settings } from '../../platform/config/index.js';
import { fearGreed } from './fear-greed.js';
import { jsonPathPoll } from './json-path.js';
import type { Poll } from './poll.js';

/** The polls of every polled source. A new one: its id in contracts/feeds.ts, its file here, its line below. */
export const POLLS: Record<PollId, (settings: Settings) => Poll[]> = {
  'fear-greed': ({ FEAR_GREED_URL, FEAR_GREED_EVERY }) => [fearGreed(FEAR_GREED_URL, FEAR_GREED_EVERY)],
  poll: ({ POLLS: asked }) => asked.map(jsonPathPoll),
};

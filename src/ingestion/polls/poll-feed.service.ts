import type { FeedState, PollId } from '../../contracts/index.js';
import type { Settings } from '../../platform/config/index.js';
import { FAILURES_TO_OPEN } from '../../platform/outbound/index.js';
import type { FeedStatus, RunningFeed } from '../feed-status.js';
import type { Poll } from './poll.js';
import { type PollDeps, Poller, type PollTimes, REAL_TIMES } from './poller.service.js';
import { POLLS } from './registry.js';

/** Polls of one source begin so far apart, and stay it: they may go to one host. */
const APART_MS = 100;

/** A polled source with all its polls, not yet started. */
export const pollFeed = (id: PollId, settings: Settings, deps: PollDeps): RunningFeed =>
  new PollFeed(id, POLLS[id](settings), deps, REAL_TIMES);

/** All polls of one source, as one feed. */
export class PollFeed implements RunningFeed {
  private readonly polls: readonly Poller[];
  private state: FeedState = 'connecting';
  private sinceUs: number;

  constructor(
    readonly source: PollId,
    asked: readonly Poll[],
    private readonly deps: PollDeps,
    private readonly times: PollTimes,
  ) {
    this.sinceUs = times.nowUs();
    this.polls = asked.map((poll) => new Poller(poll, deps, () => this.look(), times));
  }

  start(): void {
    this.deps.changed(this.source, this.state, this.reason());
    for (const [at, poller] of this.polls.entries()) poller.start(at * APART_MS);
  }

  async stop(): Promise<void> {
    await Promise.all(this.polls.map((poller) => poller.stop()));
  }

  status(): FeedStatus {
    const { polls } = this;
    const sum = (of: (poller: Poller) => number): number => polls.reduce((total, poller) => total + of(poller), 0);
    const [lastError] = polls.flatMap((poller) => poller.lastError ?? []).sort((a, b) => b.atUs - a.atUs);
    const answeredAtUs = polls.flatMap(({ lastAnswerAtUs }) => lastAnswerAtUs ?? []);
    return {
      source: this.source,
      exchange: [...new Set(polls.map(({ poll }) => poll.exchange))].join(', '),
      state: this.state,
      sinceUs: this.sinceUs,
      reason: this.reason(),
      lastError: lastError?.message,
      lastErrorAtUs: lastError?.atUs,
      lastFrameAtUs: answeredAtUs.length === 0 ? undefined : Math.max(...answeredAtUs),
      frames: sum(({ answers }) => answers),
      reconnects: sum(({ losses }) => losses),
      connections: sum(({ state }) => (state === 'connected' ? 1 : 0)),
      openGaps: 0,
      missingTrades: 0,
      limits: [
        {
          name: 'failures in a row',
          used: Math.max(0, ...polls.map(({ failures }) => failures)),
          allowed: FAILURES_TO_OPEN,
        },
      ],
      symbols: polls.map((poller) => poller.status()),
    };
  }

  private look(): void {
    const state = stateOf(this.polls.map((poller) => poller.state));
    if (state === this.state) return;
    this.state = state;
    this.sinceUs = this.times.nowUs();
    this.deps.changed(this.source, state, this.reason());
  }

  private reason(): string {
    const [first] = this.polls;
    if (first && this.polls.length === 1) return first.reason;
    const good = this.polls.filter(({ state }) => state === 'connected').length;
    const failing = this.polls.find(({ state }) => state === 'waiting');
    const why = failing ? `; ${failing.poll.symbol}: ${failing.reason}` : '';
    return `${good} of ${this.polls.length} polls are answered${why}`;
  }
}

/** One that answers makes the source good: the others say for themselves what they lack. */
function stateOf(states: readonly FeedState[]): FeedState {
  for (const state of ['connected', 'connecting', 'waiting'] as const) if (states.includes(state)) return state;
  return 'stopped';
}

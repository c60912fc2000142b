import { Module } from '@nestjs/common';
import { Backfills } from './backfills.service.js';
import { CoverageHandler } from './coverage.handler.js';
import { CoverageStore } from './coverage.store.js';
import { FEED_METRICS, FeedMetrics } from './feed-metrics.service.js';
import { FeedsController } from './feeds.controller.js';
import { Feeds } from './feeds.service.js';
import { FrameReplays } from './frame-replays.service.js';
import { GapStore } from './gap.store.js';
import { GapsController } from './gaps.controller.js';
import { Gaps } from './gaps.service.js';
import { POLL_METRICS, PollMetrics } from './polls/poll-metrics.service.js';
import { UnheardSpells } from './unheard-spells.service.js';

@Module({
  controllers: [FeedsController, GapsController],
  providers: [
    Backfills,
    CoverageHandler,
    CoverageStore,
    FeedMetrics,
    Feeds,
    FrameReplays,
    GapStore,
    Gaps,
    PollMetrics,
    UnheardSpells,
    ...FEED_METRICS,
    ...POLL_METRICS,
  ],
})
export class IngestionModule {}

import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../contracts/index.js';
import { AppError } from '../platform/errors/index.js';
import { API, ApiProblems, NoQuery } from '../platform/http/index.js';
import { nowUs } from '../platform/observability/index.js';
import type { Feed } from './feed.service.js';
import { FeedBody, FeedsBody } from './feeds.dto.js';
import { Feeds } from './feeds.service.js';
import type { GapFiller } from './gap-filler.service.js';

@ApiTags('feeds')
@Controller(`${API}/feeds`)
export class FeedsController {
  constructor(private readonly feeds: Feeds) {}

  @Get()
  @ApiOperation({ summary: 'Every running feed: state, since, ages, gaps, last error' })
  @ApiOkResponse({ type: FeedsBody })
  @ApiProblems('request.bad-parameter')
  list(@Query() _query: NoQuery): FeedsBody {
    return { items: this.feeds.running.map(bodyOf), nextCursor: null };
  }

  @Get(':source')
  @ApiOperation({ summary: 'One feed' })
  @ApiOkResponse({ type: FeedBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-source')
  one(@Param('source') source: string, @Query() _query: NoQuery): FeedBody {
    const found = this.feeds.running.find(({ feed }) => feed.connector.id === source);
    if (!found)
      throw new AppError(
        'market.unknown-source',
        `${source.slice(0, 60)} is not running; FEEDS names the feeds of this process`,
      );
    return bodyOf(found);
  }
}

function bodyOf({ feed, gaps }: { feed: Feed; gaps: GapFiller | undefined }): FeedBody {
  const now = nowUs();
  return {
    source: feed.connector.id,
    exchange: feed.connector.exchange,
    simulated: feed.connector.id === 'simulator',
    state: feed.state,
    since: formatInstant(feed.sinceUs),
    reason: feed.reason,
    lastError: feed.lastError ?? gaps?.lastError ?? null,
    lastFrameAt: feed.lastFrameAtUs === undefined ? null : formatInstant(feed.lastFrameAtUs),
    frames: feed.frames,
    reconnects: feed.reconnects,
    openGaps: gaps?.open.length ?? 0,
    symbols: feed.venueSymbols.map((venueSymbol) => {
      const activity = feed.activity.get(venueSymbol);
      return {
        venueSymbol,
        trades: activity?.trades ?? 0,
        lastTradedAt: activity ? formatInstant(activity.lastTradedAtUs) : null,
        lastTradeAgeMs: activity ? Math.max(0, Math.round((now - activity.lastReceivedAtUs) / 1000)) : null,
      };
    }),
  };
}

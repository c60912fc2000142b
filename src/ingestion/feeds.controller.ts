import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant, isPolled } from '../contracts/index.js';
import { API, ApiProblems, NoQuery } from '../platform/http/index.js';
import { nowUs } from '../platform/observability/index.js';
import type { FeedStatus, SymbolStatus } from './feed-status.js';
import { FeedBody, FeedsBody, type FeedSymbolBody } from './feeds.dto.js';
import { Feeds, notRunning } from './feeds.service.js';

@ApiTags('feeds')
@Controller(`${API}/feeds`)
export class FeedsController {
  constructor(private readonly feeds: Feeds) {}

  @Get()
  @ApiOperation({ summary: 'Every running feed: state, ages, rates, gaps, limits in use, last error' })
  @ApiOkResponse({ type: FeedsBody })
  @ApiProblems('request.bad-parameter')
  list(@Query() _query: NoQuery): FeedsBody {
    return { items: this.feeds.statuses().map(bodyOf), nextCursor: null };
  }

  @Get(':source')
  @ApiOperation({ summary: 'One feed' })
  @ApiOkResponse({ type: FeedBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-source')
  one(@Param('source') source: string, @Query() _query: NoQuery): FeedBody {
    const found = this.feeds.statuses().find((status) => status.source === source);
    if (!found) throw notRunning(source);
    return bodyOf(found);
  }
}

function bodyOf(status: FeedStatus): FeedBody {
  const { source, exchange, state, reason, frames, connections, reconnects, openGaps, missingTrades } = status;
  const now = nowUs();
  return {
    source,
    exchange,
    simulated: source === 'simulator',
    polled: isPolled(source),
    state,
    since: formatInstant(status.sinceUs),
    reason,
    lastError: status.lastError ?? null,
    lastErrorAt: instantOrNull(status.lastErrorAtUs),
    lastFrameAt: instantOrNull(status.lastFrameAtUs),
    lastFrameAgeMs: ageMs(status.lastFrameAtUs, now),
    frames,
    tradesPerSecond: rounded(status.symbols.reduce((sum, { tradesPerSecond }) => sum + tradesPerSecond, 0)),
    connections,
    reconnects,
    openGaps,
    missingTrades,
    limits: status.limits.map((limit) => ({ ...limit })),
    symbols: status.symbols.map((symbol) => symbolBody(symbol, now)),
  };
}

function symbolBody(status: SymbolStatus, now: number): FeedSymbolBody {
  const { venueSymbol, symbol, state, reason, trades, tradesPerSecond, lastTradedAtUs, lastReceivedAtUs } = status;
  return {
    venueSymbol,
    symbol,
    state,
    reason: reason ?? null,
    trades,
    tradesPerSecond: rounded(tradesPerSecond),
    lastTradedAt: instantOrNull(lastTradedAtUs),
    lastTradeAgeMs: ageMs(lastReceivedAtUs, now),
  };
}

const instantOrNull = (us: number | undefined): string | null => (us === undefined ? null : formatInstant(us));
const ageMs = (us: number | undefined, now: number): number | null =>
  us === undefined ? null : Math.max(0, Math.round((now - us) / 1000));
const rounded = (rate: number): number => Math.round(rate * 1000) / 1000;

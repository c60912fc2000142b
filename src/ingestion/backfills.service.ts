import { Injectable } from '@nestjs/common';
import { AppError, badParameter, unknownSymbol } from '../platform/errors/index.js';
import { nowUs } from '../platform/observability/index.js';
import type { IdRun } from './coverage.js';
import { CoverageStore, type SeriesEnd } from './coverage.store.js';
import { Feeds, withoutHistory } from './feeds.service.js';
import type { Gap } from './gap.store.js';
import { Gaps } from './gaps.service.js';
import type { VenueHistory } from './venue-history.service.js';

/** About half a day of a busy venue's whole request weight. */
const MOST_IDS = 50_000_000n;
/** The venue is asked for so long where a range begins and ends. */
const ASK_FOR_MS = 30_000;

/** A range as a person gives it, by ids or by instants (epoch microseconds), with its start; an end left out is that of the series. */
export type BackfillRange = Readonly<{
  symbol: string;
  fromTradeId?: string;
  toTradeId?: string;
  from?: number;
  to?: number;
}>;

export type Backfill = Readonly<{ symbol: string; range: IdRun; gap: Gap | undefined }>;

/** Fetches ranges of trades that a person asks for: each becomes a gap, and is filled as any other. */
@Injectable()
export class Backfills {
  constructor(
    private readonly feeds: Feeds,
    private readonly coverage: CoverageStore,
    private readonly gaps: Gaps,
  ) {}

  /** Throws the problem when the range makes no sense, the feed is not running here, or the venue has no history. */
  async request(source: string, asked: BackfillRange): Promise<Backfill> {
    checkEnds(asked);
    const venue = this.feeds.venue(source);
    const listed = venue.feed.find(asked.symbol);
    if (!listed) throw unknownSymbol(asked.symbol, source);
    if (!venue.history) throw withoutHistory(source);
    const end = (await this.coverage.ends(source)).get(listed.venueSymbol);
    if (!end) throw unknownSymbol(listed.symbol, source);
    const range = await rangeOf(asked, venue.history, end);
    return { symbol: listed.symbol, range, gap: await this.gaps.request(end, range) };
  }
}

function checkEnds({ fromTradeId, toTradeId, from, to }: BackfillRange): void {
  const byId = fromTradeId !== undefined || toTradeId !== undefined;
  if (byId && (from !== undefined || to !== undefined))
    throw badParameter('from', 'must be left out beside fromTradeId and toTradeId: a range is given in one way');
  if (byId && fromTradeId === undefined)
    throw badParameter('fromTradeId', 'must be given beside toTradeId: the range needs a start');
  if (!byId && from === undefined) throw badParameter('from', 'or fromTradeId must be given: the range needs a start');
  if (from !== undefined && (from < 0 || from > nowUs())) throw badParameter('from', 'must be between 1970 and now');
  if (from !== undefined && to !== undefined && from >= to) throw badParameter('from', 'must be before to');
}

/**
 * A span of time takes one trade more at either end: it shows that the windows at its edges are complete. Throws the
 * problem when the venue cannot be asked, or the range makes no sense.
 */
async function rangeOf(
  asked: BackfillRange,
  history: VenueHistory,
  { venueSymbol, nextId }: SeriesEnd,
): Promise<IdRun> {
  const askedLongEnough = AbortSignal.timeout(ASK_FOR_MS);
  const idAt = async (atUs: number): Promise<bigint> =>
    (await history.firstIdSince(venueSymbol, atUs, nextId, askedLongEnough)) ?? nextId;
  let range: IdRun;
  try {
    const from = asked.from === undefined ? BigInt(asked.fromTradeId!) : before(await idAt(asked.from));
    const last = asked.to === undefined ? BigInt(asked.toTradeId ?? nextId) : await idAt(asked.to);
    range = { from, to: last < nextId ? last : nextId - 1n };
  } catch (error) {
    throw new AppError('feed.venue-refused', `the venue could not be asked: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (range.from >= nextId)
    throw badParameter(
      asked.from === undefined ? 'fromTradeId' : 'from',
      `must be before the end of the series (trade ${nextId - 1n}): what is newer comes by itself`,
    );
  if (range.from > range.to)
    throw badParameter(asked.to === undefined ? 'toTradeId' : 'to', 'must not be before the start of the range');
  if (range.to - range.from >= MOST_IDS)
    throw badParameter(
      asked.from === undefined ? 'toTradeId' : 'to',
      `must be at most ${MOST_IDS} trades behind the start; these are ${range.to - range.from + 1n}`,
    );
  return range;
}

const before = (id: bigint): bigint => (id > 0n ? id - 1n : id);

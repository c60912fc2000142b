import { Body, Controller, Get, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../contracts/index.js';
import { AppError } from '../platform/errors/index.js';
import { API, ApiProblems, decodeCursor, encodeCursor, NoQuery } from '../platform/http/index.js';
import { Backfills } from './backfills.service.js';
import { type GapReport, GapStore } from './gap.store.js';
import { BackfillBody, BackfillRequest, GapBody, GapsBody, GapsQuery } from './gaps.dto.js';

/** As much of the HTTP answer as is needed here. */
type Answer = Readonly<{ status(code: number): Answer; header(name: string, value: string): Answer }>;

@ApiTags('feeds')
@Controller(API)
export class GapsController {
  constructor(
    private readonly gaps: GapStore,
    private readonly backfills: Backfills,
  ) {}

  @Get('gaps')
  @ApiOperation({ summary: 'Trades that venues gave out and that are not recorded, and what became of each hole' })
  @ApiOkResponse({ type: GapsBody })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() query: GapsQuery): Promise<GapsBody> {
    const beforeId = query.cursor === undefined ? undefined : idOf(query.cursor);
    const rows = await this.gaps.page(
      {
        source: query.source,
        symbol: query.symbol,
        states: query.state,
        isRequested: query.requested === undefined ? undefined : query.requested === 'true',
        beforeId,
      },
      query.limit + 1,
    );
    const items = rows.slice(0, query.limit).map(bodyOf);
    return { items, nextCursor: rows.length > query.limit ? encodeCursor([items.at(-1)!.id]) : null };
  }

  @Get('gaps/:id')
  @ApiOperation({ summary: 'One gap, with the progress of its filling' })
  @ApiOkResponse({ type: GapBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-gap', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<GapBody> {
    const found = /^\d{1,18}$/.test(id) ? await this.gaps.one(id) : undefined;
    if (!found) throw new AppError('market.unknown-gap', `there is no gap ${id.slice(0, 60)}`);
    return bodyOf(found);
  }

  @Post('feeds/:source/backfill')
  @ApiOperation({
    summary: 'Fetches what of a range is missing from the venue; `GET gaps/{id}` tells the progress',
    description: 'Ranges may lie before the first recorded trade, and within gaps that were given up.',
  })
  @ApiResponse({ status: HttpStatus.ACCEPTED, type: BackfillBody, description: 'It is being fetched.' })
  @ApiOkResponse({ type: BackfillBody, description: 'Nothing of the range is missing, or all of it is on its way.' })
  @ApiProblems(
    'request.bad-parameter',
    'market.unknown-source',
    'market.unknown-symbol',
    'feed.no-history',
    'feed.venue-refused',
    'database.unavailable',
  )
  async backfill(
    @Param('source') source: string,
    @Body() body: BackfillRequest,
    @Query() _query: NoQuery,
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<BackfillBody> {
    const { symbol, range, gap } = await this.backfills.request(source, body);
    const report = gap && (await this.gaps.one(gap.id));
    if (report) answer.status(HttpStatus.ACCEPTED).header('location', `/${API}/gaps/${report.id}`);
    else answer.status(HttpStatus.OK);
    return {
      source,
      symbol,
      fromTradeId: range.from.toString(),
      toTradeId: range.to.toString(),
      gap: report ? bodyOf(report) : null,
    };
  }
}

function idOf(cursor: string): string {
  const [id] = decodeCursor(cursor, 1);
  if (!/^\d{1,18}$/.test(String(id))) decodeCursor('', 1); // the one answer for every malformed cursor
  return String(id);
}

function bodyOf(gap: GapReport): GapBody {
  const { id, source, symbol, venueSymbol, state, reason, fetched, missing, remaining } = gap;
  return {
    id,
    source,
    symbol,
    venueSymbol,
    fromTradeId: gap.from.toString(),
    toTradeId: gap.to.toString(),
    from: gap.fromUs === undefined ? null : formatInstant(gap.fromUs),
    to: gap.toUs === undefined ? null : formatInstant(gap.toUs),
    state,
    reason,
    requested: gap.isRequested ?? false,
    missing: missing === null ? null : Number(missing),
    remaining: remaining === null ? null : Number(remaining),
    fetched,
    progress: progressOf(missing, remaining),
    openedAt: formatInstant(gap.openedAtUs),
    closedAt: gap.closedAtUs === null ? null : formatInstant(gap.closedAtUs),
  };
}

function progressOf(missing: bigint | null, remaining: bigint | null): number | null {
  if (missing === null || remaining === null) return null;
  return missing === 0n ? 1 : Math.max(0, Math.floor((1 - Number(remaining) / Number(missing)) * 10_000) / 10_000);
}

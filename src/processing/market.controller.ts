import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { formatInstant } from '../contracts/index.js';
import { preferredSource, Settings } from '../platform/config/index.js';
import { badParameter, unknownSymbol } from '../platform/errors/index.js';
import {
  API,
  ApiProblems,
  cut,
  decodeCursor,
  encodeCursor,
  NoQuery,
  rangeOf,
  SourceQuery,
} from '../platform/http/index.js';
import { LastPrices } from './last-prices.service.js';
import { PriceBody, SymbolsBody, TradeBody, TradesBody, TradesQuery } from './market.dto.js';
import { type Series, SeriesStore } from './series.store.js';
import { TradeHistory } from './trade-history.service.js';
import type { StoredTrade } from './trade.store.js';

type KnownSeries = Omit<Series, 'highWater'>;

@ApiTags('market')
@Controller(API)
export class MarketController {
  constructor(
    private readonly series: SeriesStore,
    private readonly trades: TradeHistory,
    private readonly lastPrices: LastPrices,
    private readonly settings: Settings,
  ) {}

  @Get('symbols')
  @ApiOperation({ summary: 'Every series that recorded a trade, with its last price' })
  @ApiOkResponse({ type: SymbolsBody })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async symbols(@Query() _query: NoQuery): Promise<SymbolsBody> {
    const all = await this.series.all();
    const items = await Promise.all(
      all.map(async (one) => {
        const last = await this.last(one);
        const { symbol, source, exchange, venueSymbol } = one;
        return {
          symbol,
          source,
          exchange,
          venueSymbol,
          price: last?.price ?? null,
          tradedAt: last ? formatInstant(last.tradedAtUs) : null,
        };
      }),
    );
    return { items, nextCursor: null };
  }

  @Get('price/:symbol')
  @ApiOperation({ summary: 'The last trade' })
  @ApiOkResponse({ type: PriceBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async price(@Param('symbol') symbol: string, @Query() query: SourceQuery): Promise<PriceBody> {
    const series = await this.find(symbol, query.source);
    const last = await this.last(series);
    if (!last) throw unknownSymbol(symbol, query.source);
    return { symbol: series.symbol, source: series.source, ...bodyOf(last) };
  }

  @Get('trades/:symbol')
  @ApiOperation({
    summary: 'Recorded trades, oldest first; with `from` pages go forward, without it backward from `to`',
  })
  @ApiOkResponse({ type: TradesBody })
  @ApiProblems('request.bad-parameter', 'market.unknown-symbol', 'database.unavailable')
  async list(@Param('symbol') symbol: string, @Query() query: TradesQuery): Promise<TradesBody> {
    const series = await this.find(symbol, query.source);
    const { cursor, limit, ...span } = query;
    const page = { ...rangeOf(span), limit };
    const position = cursor === undefined ? undefined : positionOf(cursor);
    const { items, edge } = cut(await this.trades.range(series.id, { ...page, position, limit: limit + 1 }), page);
    return {
      symbol: series.symbol,
      source: series.source,
      items: items.map(bodyOf),
      nextCursor: edge ? encodeCursor([edge.tradedAtUs, edge.tradeId]) : null,
    };
  }

  private async find(symbol: string, source: string | undefined): Promise<KnownSeries> {
    const having = (await this.series.all()).filter(
      (one) => one.symbol === symbol && (source === undefined || one.source === source),
    );
    const chosen = preferredSource(
      having.map((one) => one.source),
      this.settings.FEEDS,
    );
    const found = having.find((one) => one.source === chosen);
    if (!found) throw unknownSymbol(symbol, source);
    return found;
  }

  private async last(series: KnownSeries): Promise<StoredTrade | undefined> {
    const known = this.lastPrices.get(series.source, series.venueSymbol);
    if (known) return known;
    const stored = await this.trades.latest(series.id);
    if (stored) this.lastPrices.learn(series.source, series.venueSymbol, stored);
    return stored;
  }
}

function bodyOf(trade: StoredTrade): TradeBody {
  const { tradeId, price, size, side, tradedAtUs } = trade;
  return { price, size, ...(side === undefined ? {} : { side }), tradeId, tradedAt: formatInstant(tradedAtUs) };
}

function positionOf(cursor: string): { tradedAtUs: number; tradeId: string } {
  const [tradedAtUs, tradeId] = decodeCursor(cursor, 2);
  if (typeof tradedAtUs !== 'number' || !/^\d{1,19}$/.test(String(tradeId)))
    throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return { tradedAtUs, tradeId: String(tradeId) };
}

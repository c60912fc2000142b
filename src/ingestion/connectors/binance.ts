import { canonicalDecimal, type Trade, type VenueId } from '../../contracts/index.js';
import { type Connector, FrameError, microsecondsOf, type Parsed, parseJson, requestTo } from './connector.js';
import { badTrade, jsonText, readEveryRow, type Row } from './rows.js';

/** Streams named in the URL; more follow in SUBSCRIBE frames of as many, which keeps every URL below 4 KiB. */
const STREAMS_PER_MESSAGE = 200;

type RawTrade = { e?: unknown; s?: unknown; t?: unknown; p?: unknown; q?: unknown; T?: unknown; m?: unknown };

/**
 * Binance spot: `@trade` over combined streams, healed by `historicalTrades`. The simulator and the replayer speak the
 * same protocol, so `simulator` is this connector under another source.
 * Source: venue's web-socket-streams.md and rest-api.md at a5e0bc3, as kept in reference/market.md 3.1.
 */
export function binance(id: VenueId, exchange: string): Connector {
  return {
    id,
    exchange,
    connection(wsUrl, venueSymbols) {
      const streams = venueSymbols.map((symbol) => `${symbol.toLowerCase()}@trade`);
      const frames: string[] = [];
      for (let at = STREAMS_PER_MESSAGE; at < streams.length; at += STREAMS_PER_MESSAGE) {
        frames.push(
          JSON.stringify({ method: 'SUBSCRIBE', params: streams.slice(at, at + STREAMS_PER_MESSAGE), id: at }),
        );
      }
      const named = streams.slice(0, STREAMS_PER_MESSAGE).join('/');
      return { url: `${wsUrl.replace(/\/$/, '')}/stream?streams=${named}&timeUnit=MICROSECOND`, frames };
    },

    /** `{"stream":…,"data":{"e":"trade",…}}`; `m` true: the buyer was the maker, so the taker sold. */
    parse(raw, receivedAtUs): Parsed {
      const frame = parseJson(raw) as {
        data?: RawTrade;
        stream?: unknown;
        result?: unknown;
        code?: unknown;
        msg?: unknown;
        error?: unknown;
        e?: unknown;
      };
      const data = frame.data;
      if (typeof data === 'object' && data !== null && data.e === 'trade') {
        const trade = tradeOf(data.s, data.t, data.p, data.q, data.T, data.m, receivedAtUs);
        if (!trade) throw badTrade('s, t, p, q, T or m', raw);
        return { kind: 'trades', trades: [trade] };
      }
      if (data?.e === 'serverShutdown' || frame.e === 'serverShutdown') return { kind: 'shutdown' };
      if (typeof frame.code === 'number')
        return { kind: 'refused', message: typeof frame.msg === 'string' ? frame.msg : `code ${frame.code}` };
      if (typeof frame.error === 'object' && frame.error !== null)
        return { kind: 'refused', message: jsonText(frame.error) };
      if ('result' in frame) return { kind: 'alive' };
      return { kind: 'unknown' };
    },

    symbolsPerConnection: 1024,
    sendEveryMs: 350, // five messages a second, pings and pongs included
    rotateAfterMs: 23.5 * 3_600_000,
    attemptsPer5Min: 250, // of 300 an address
    contiguousIds: true,

    spelling: (asked) => asked.toUpperCase(),
    canonical: (venueSymbol) => venueSymbol,

    products: {
      weight: 20,
      request: (restUrl) => requestTo(restUrl, '/api/v3/exchangeInfo?showPermissionSets=false'),
      /** `{"symbols":[{"symbol":"ETHBTC","status":"TRADING",…}]}`; a halted or delisted symbol is in `BREAK`. */
      parse(body) {
        const { symbols } = parseJson(body) as Row;
        if (!Array.isArray(symbols))
          throw new FrameError('parse.bad-trade', 'exchangeInfo did not answer with symbols', body);
        return (symbols as (Row | null)[]).flatMap((one) =>
          typeof one?.symbol === 'string'
            ? { venueSymbol: one.symbol, aliases: [], isTrading: one.status === 'TRADING' }
            : [],
        );
      },
    },

    history: {
      by: 'id',
      request: (restUrl, venueSymbol, from) =>
        requestTo(
          restUrl,
          `/api/v3/historicalTrades?symbol=${venueSymbol}${from === undefined ? '' : `&fromId=${from}`}&limit=1000`,
          { 'X-MBX-TIME-UNIT': 'MICROSECOND' },
        ),
      parse(body, venueSymbol, receivedAtUs) {
        const rows = parseJson(body);
        if (!Array.isArray(rows))
          throw new FrameError('parse.bad-trade', 'historicalTrades did not answer with a list', body);
        return readEveryRow(rows, 'id, price, qty, time or isBuyerMaker', (row) =>
          tradeOf(venueSymbol, row.id, row.price, row.qty, row.time, row.isBuyerMaker, receivedAtUs),
        );
      },
      pageTrades: 1000,
      weight: 25,
      weightPerMinute: 5400, // of 6,000 an address
    },
  };

  function tradeOf(
    symbol: unknown,
    tradeId: unknown,
    price: unknown,
    size: unknown,
    time: unknown,
    buyerIsMaker: unknown,
    receivedAtUs: number,
  ): Trade | undefined {
    if (
      typeof symbol !== 'string' ||
      typeof price !== 'string' ||
      typeof size !== 'string' ||
      typeof buyerIsMaker !== 'boolean' ||
      !Number.isSafeInteger(tradeId) ||
      !Number.isSafeInteger(time)
    )
      return undefined;
    return {
      source: id,
      exchange,
      symbol,
      venueSymbol: symbol,
      tradeId: String(tradeId),
      price: canonicalDecimal(price) ?? price,
      size: canonicalDecimal(size) ?? size,
      side: buyerIsMaker ? 'sell' : 'buy',
      tradedAtUs: microsecondsOf(time as number),
      receivedAtUs,
    };
  }
}

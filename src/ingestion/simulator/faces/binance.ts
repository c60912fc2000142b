import { parseStream } from '../tape.js';
import { answerRest, refuseRest, requestWeight } from './binance-rest.js';
import {
  combinedFrame,
  controlError,
  controlResult,
  inMicroseconds,
  payloadOf,
  readControl,
  shutdownFrame,
  tradePayload,
} from './binance-wire.js';
import { type Face, noLimits, type Opened, type Refused, type Reply, type Scene, type Spoken } from './face.js';

type BinanceTalk = {
  combined: boolean;
  readonly microseconds: boolean;
  /** All that was asked for, also names that nobody knows. */
  readonly streams: Set<string>;
};

/**
 * Binance's spot protocol: streams `@trade` and `@aggTrade` (one trade each here) and whatever a recording has, control
 * frames, public REST. A name nobody knows is acknowledged and silent, as the venue does it. No klines, tickers or books as
 * streams of a market. Source: web-socket-streams.md and rest-api.md, see reference/market.md 3.1.
 */
export const binance: Face<BinanceTalk> = {
  id: 'binance',
  limits: {
    ...noLimits,
    weightPerMinute: 6000,
    attemptsPer5Min: 300,
    messagesPerSecond: 5,
    streamsPerConnection: 1024,
    connectionLifeMs: 24 * 60 * 60 * 1000,
    pingEveryMs: 20_000,
    pongWithinMs: 60_000,
  },
  spelling: (tapeSymbol) => tapeSymbol,
  open,
  hear,
  tell: (talk, spoken, nowUs) => spoken.map((each) => frameOf(each, talk.combined, talk.microseconds, nowUs)),
  tellInWrongUnit: (talk, spoken, nowUs) => frameOf(spoken, talk.combined, !talk.microseconds, nowUs),
  error: () => controlError(2, 'Invalid request: request could not be processed'),
  shutdown: ({ combined, microseconds }, nowUs) => shutdownFrame(nowUs, combined, microseconds),
  rest: {
    weigh: requestWeight,
    answer: answerRest,
    refuse: refuseRest,
    usedWeightHeader: 'x-mbx-used-weight-1m',
  },
};

function open({ pathname, searchParams }: URL, { limits }: Scene): Opened<BinanceTalk> | Refused {
  const combined = pathname === '/stream';
  const raw = /^\/ws(?:\/(.*))?$/.exec(pathname.replaceAll('%40', '@'));
  if (!combined && !raw) return { status: 404 };
  const named = (combined ? (searchParams.get('streams') ?? '') : (raw?.[1] ?? '')).split('/').filter(Boolean);
  if (named.length > limits.streamsPerConnection) return { status: 400 };
  const microseconds = /^microsecond$/i.test(searchParams.get('timeUnit') ?? '');
  const streams = new Set(named);
  return { talk: { combined, microseconds, streams }, subscribe: subscriptions(streams) };
}

function hear(talk: BinanceTalk, text: string, scene: Scene): Reply {
  const request = readControl(text);
  const { streams } = talk;
  switch (request.method) {
    case 'refused':
      return { texts: [request.answer] };
    case 'SUBSCRIBE':
      if (new Set([...streams, ...request.streams]).size > scene.limits.streamsPerConnection)
        return { texts: [controlError(2, 'Invalid request: too many parameters')] };
      if (request.streams.some((stream) => isRefused(stream, scene)))
        return { texts: [controlError(2, 'Invalid request: invalid stream name')] };
      for (const stream of request.streams) streams.add(stream);
      return { texts: [controlResult(null, request.id)], subscribe: subscriptions(request.streams) };
    case 'UNSUBSCRIBE':
      for (const stream of request.streams) streams.delete(stream);
      return { texts: [controlResult(null, request.id)], unsubscribe: request.streams };
    case 'LIST_SUBSCRIPTIONS':
      return { texts: [controlResult([...streams], request.id)] };
    case 'GET_PROPERTY':
      return { texts: [controlResult(talk.combined, request.id)] };
    case 'SET_PROPERTY':
      talk.combined = request.combined;
      return { texts: [controlResult(null, request.id)] };
  }
}

/** The venue has no words for an unknown symbol, so only a fault refuses one, and the whole frame with it. */
function isRefused(stream: string, { symbols, find }: Scene): boolean {
  const symbol = parseStream(stream)?.symbol;
  return symbol !== undefined && symbols.includes(symbol) && find(symbol) === undefined;
}

function subscriptions(streams: Iterable<string>) {
  return [...streams].map((stream) => ({ stream, symbol: parseStream(stream)?.symbol ?? stream }));
}

/** A frame as the connection wants it: combined or not, in milliseconds or microseconds. */
function frameOf({ stream, symbol, frame }: Spoken, combined: boolean, microseconds: boolean, nowUs: number): string {
  const { raw, trade, atUs } = frame;
  if (raw !== undefined) {
    const text = combined ? raw : payloadOf(raw);
    return microseconds ? inMicroseconds(text) : text;
  }
  const channel = stream.slice(stream.indexOf('@') + 1);
  const payload = tradePayload(channel, symbol, trade!, Math.max(nowUs, atUs), microseconds);
  return combined ? combinedFrame(stream, payload) : payload;
}

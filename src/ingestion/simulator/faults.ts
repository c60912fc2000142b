import { hash, keyOf, unit } from './noise.js';

/**
 * How often a fault strikes: a probability per trade frame, 0 to 1, or so many times spread evenly over a session. A market
 * has no end, so a count needs `over` there: the number of trade frames it is spread over.
 */
export type Frequency = number | Readonly<{ count: number; over?: number }>;

/**
 * What goes wrong with a feed; whatever it takes, REST still has. Frequencies are of trade frames in the first part, of
 * handshakes, of symbols asked for and of REST requests in the others; a count's `over` is a number of these.
 */
export type FaultPlan = Readonly<{
  /** The frame is never sent. */
  drop?: Frequency;
  /** The frame is sent twice. */
  repeat?: Frequency;
  /** The frame comes up to withinMs of tape time late, behind others. */
  reorder?: Readonly<{ often: Frequency; withinMs: number }>;
  /** After this frame the connection stays open and says nothing for forMs of real time; then all that was held comes. */
  stall?: Readonly<{ often: Frequency; forMs: number }>;
  /** This and the following trades of the symbol, `trades` in all, are not sent on this connection. */
  gap?: Readonly<{ often: Frequency; trades: number }>;
  /** The connection is cut instead of sending the frame; what happens until the client is back it does not hear. */
  disconnect?: Frequency;
  /** The connection is closed instead of sending the frame, with each of `closeCodes` by turns. */
  close?: Frequency;
  /** After this frame the connection stays open, says nothing more and answers no ping. */
  mute?: Frequency;
  /** The venue announces that it goes, where it has words for it, and closes the connection afterMs of real time later. */
  shutdown?: Readonly<{ often: Frequency; afterMs: number }>;
  /** An extra frame that is no JSON. */
  badFrame?: Frequency;
  /** An extra frame in the venue's form of an error. */
  errorFrame?: Frequency;
  /** An extra trade at price -1.0, under an id above 9e15 that no real trade ever has. */
  negative?: Frequency;
  /** An extra update of size 0, where the venue sends such. */
  priceOnly?: Frequency;
  /** The frame tells its time in another unit or precision. */
  wrongUnit?: Frequency;

  /** The handshake is answered byMs later. */
  slowHandshake?: Readonly<{ often: Frequency; byMs: number }>;
  /** The handshake is answered with HTTP 429, 503 and 403 by turns. */
  refusedHandshake?: Frequency;
  /** The connection is accepted and closed at once, with each of `closeCodes` by turns. */
  closeAtOpen?: Frequency;

  /** A symbol is refused as if the venue did not know it; asked again it is accepted. */
  refusedSymbol?: Frequency;

  /** Too many requests, and the ban that follows them, with Retry-After. */
  rest429?: Readonly<{ often: Frequency; retryAfterS: number }>;
  rest418?: Readonly<{ often: Frequency; retryAfterS: number }>;
  /** HTTP 500, 502, 503 and 504 by turns. */
  rest5xx?: Frequency;
  /** The request is never answered. */
  restHang?: Frequency;
}>;

/** With 1006 the connection is cut without a word, which is what the client then sees. */
export const closeCodes: readonly number[] = [1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000];

export type Fault =
  | Readonly<{ kind: PlainKind }>
  | Readonly<{ kind: 'reorder'; lateUs: number }>
  | Readonly<{ kind: 'stall'; forMs: number }>
  | Readonly<{ kind: 'gap'; trades: number }>
  | Readonly<{ kind: 'close' | 'closeAtOpen'; code: number }>
  | Readonly<{ kind: 'shutdown'; afterMs: number }>
  | Readonly<{ kind: 'slowHandshake'; byMs: number }>
  | Readonly<{ kind: 'refusedHandshake' | 'rest5xx'; status: number }>
  | Readonly<{ kind: 'rest429' | 'rest418'; status: number; retryAfterS: number }>;

type PlainKind =
  | 'drop'
  | 'repeat'
  | 'disconnect'
  | 'mute'
  | 'badFrame'
  | 'errorFrame'
  | 'negative'
  | 'priceOnly'
  | 'wrongUnit'
  | 'refusedSymbol'
  | 'restHang';

export type FaultKind = Fault['kind'];
export type FaultOf<K extends FaultKind, F = Fault> = F extends Fault ? (K extends F['kind'] ? F : never) : never;

/** Where else than at a trade frame faults strike. */
export type Occasion = 'handshake' | 'symbol' | 'request';

/** Decides about each frame and occasion. Two of the same plan, seed and session decide alike. */
export interface Faults {
  readonly seed: number;
  /** How often each kind has struck. */
  readonly struck: Readonly<Record<FaultKind, number>>;
  /** What goes wrong with this trade frame: `stream` and `order` say which one it is, `place` how far the session is. */
  strike(stream: string, order: number, place: number): readonly Fault[];
  /** What goes wrong with the next occasion of its kind. */
  strikeNext(occasion: Occasion): readonly Fault[];
}

/** Throws RangeError for a probability outside 0 to 1, and for a count that has nothing to be spread over. */
export function planFaults(plan: FaultPlan, seed: number, sessionFrames?: number): Faults {
  const struck = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  const places: Record<Occasion, number> = { handshake: 0, symbol: 0, request: 0 };
  const causes: Record<Occasion | 'trade', Cause[]> = { trade: [], handshake: [], symbol: [], request: [] };
  for (const kind of KINDS.filter((each) => plan[each] !== undefined)) {
    const often = frequencyOf(plan, kind);
    const key = keyOf(seed, kind);
    const strikes = typeof often === 'number' ? byChance(kind, often, key) : byCount(kind, often, key);
    causes[STRIKES_AT[kind]].push({ kind, key, strikes });
  }

  function byCount(kind: FaultKind, often: { count: number; over?: number }, key: number): Strikes {
    const over = often.over ?? (STRIKES_AT[kind] === 'trade' ? sessionFrames : undefined);
    if (over === undefined) throw new RangeError(`fault ${kind}: a count needs "over", as a market has no end`);
    const at = spread(often.count, over, key);
    let next = 0;
    return (_stream, _order, place) => {
      if (next >= at.length || place < at[next]!) return false;
      next++;
      return true;
    };
  }

  function struckBy(list: readonly Cause[], stream: string, order: number, place: number): readonly Fault[] {
    if (list.length === 0) return NOTHING;
    let faults: Fault[] | undefined;
    for (const { kind, key, strikes } of list) {
      if (!strikes(stream, order, place)) continue;
      (faults ??= []).push(faultOf(plan, kind, unit(key ^ 0x2545f491, order), struck[kind]++));
    }
    return faults ?? NOTHING;
  }

  return {
    seed,
    struck,
    strike: (stream, order, place) => struckBy(causes.trade, stream, order, place),
    strikeNext: (occasion) => {
      const place = places[occasion]++;
      return struckBy(causes[occasion], occasion, place, place);
    },
  };
}

/** The fault of that kind among those that struck. */
export function faultAmong<K extends FaultKind>(faults: readonly Fault[], kind: K): FaultOf<K> | undefined {
  return faults.find((fault) => fault.kind === kind) as FaultOf<K> | undefined;
}

type Strikes = (stream: string, order: number, place: number) => boolean;
type Cause = Readonly<{ kind: FaultKind; key: number; strikes: Strikes }>;

const STRIKES_AT: Readonly<Record<FaultKind, Occasion | 'trade'>> = {
  drop: 'trade',
  repeat: 'trade',
  reorder: 'trade',
  stall: 'trade',
  gap: 'trade',
  disconnect: 'trade',
  close: 'trade',
  mute: 'trade',
  shutdown: 'trade',
  badFrame: 'trade',
  errorFrame: 'trade',
  negative: 'trade',
  priceOnly: 'trade',
  wrongUnit: 'trade',
  slowHandshake: 'handshake',
  refusedHandshake: 'handshake',
  closeAtOpen: 'handshake',
  refusedSymbol: 'symbol',
  rest429: 'request',
  rest418: 'request',
  rest5xx: 'request',
  restHang: 'request',
};
const KINDS = Object.keys(STRIKES_AT) as FaultKind[];
const REFUSALS = [429, 503, 403];
const FAILURES = [500, 502, 503, 504];
const NOTHING: readonly Fault[] = [];

function frequencyOf(plan: FaultPlan, kind: FaultKind): Frequency {
  const asked = plan[kind]!;
  return typeof asked === 'object' && 'often' in asked ? asked.often : asked;
}

/** The same frame is struck or spared whoever asks and whenever: it hangs on the seed and on which frame it is. */
function byChance(kind: FaultKind, probability: number, key: number): Strikes {
  if (!(probability >= 0 && probability <= 1))
    throw new RangeError(`fault ${kind}: probability is ${probability}, expected 0 to 1`);
  const keys = new Map<string, number>();
  return (stream, order) => {
    let own = keys.get(stream);
    if (own === undefined) keys.set(stream, (own = keyOf(key, stream)));
    return hash(own, order) < probability * 4294967296;
  };
}

/** One place in each of `count` equal parts, none in the first or last tenth of its part. */
function spread(count: number, over: number, key: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.1 + 0.8 * unit(key, i)) / count) * over));
}

/** `turn`: how often the kind has struck before. */
function faultOf(plan: FaultPlan, kind: FaultKind, chance: number, turn: number): Fault {
  switch (kind) {
    case 'reorder':
      return { kind, lateUs: Math.floor(chance * plan.reorder!.withinMs * 1000) };
    case 'stall':
      return { kind, forMs: plan.stall!.forMs };
    case 'gap':
      return { kind, trades: plan.gap!.trades };
    case 'close':
    case 'closeAtOpen':
      return { kind, code: closeCodes[turn % closeCodes.length]! };
    case 'shutdown':
      return { kind, afterMs: plan.shutdown!.afterMs };
    case 'slowHandshake':
      return { kind, byMs: plan.slowHandshake!.byMs };
    case 'refusedHandshake':
      return { kind, status: REFUSALS[turn % REFUSALS.length]! };
    case 'rest5xx':
      return { kind, status: FAILURES[turn % FAILURES.length]! };
    case 'rest429':
    case 'rest418':
      return { kind, status: Number(kind.slice(4)), retryAfterS: plan[kind]!.retryAfterS };
    default:
      return { kind };
  }
}

import { hash, keyOf, unit } from './noise.js';

/**
 * How often a fault strikes: a probability per trade frame, 0 to 1, or so many times spread evenly over a session. A market
 * has no end, so a count needs `over` there: the number of trade frames it is spread over.
 */
export type Frequency = number | Readonly<{ count: number; over?: number }>;

/** What goes wrong with a feed. Faults strike trade frames only; whatever they take, REST still has. */
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
  /** An extra frame that is no JSON. */
  badFrame?: Frequency;
  /** An extra trade at price -1.0, under an id above 9e15 that no real trade ever has. */
  negative?: Frequency;
}>;

export type Fault =
  | Readonly<{ kind: 'drop' | 'repeat' | 'disconnect' | 'badFrame' | 'negative' }>
  | Readonly<{ kind: 'reorder'; lateUs: number }>
  | Readonly<{ kind: 'stall'; forMs: number }>
  | Readonly<{ kind: 'gap'; trades: number }>;

export type FaultKind = Fault['kind'];

/** Decides about each frame. Two of the same plan, seed and session decide alike. */
export interface Faults {
  readonly seed: number;
  /** How often each kind has struck. */
  readonly struck: Readonly<Record<FaultKind, number>>;
  /** What goes wrong with this frame: `stream` and `order` say which one it is, `place` how far the session is. */
  strike(stream: string, order: number, place: number): readonly Fault[];
}

/** Throws RangeError for a probability outside 0 to 1, and for a count that has nothing to be spread over. */
export function planFaults(plan: FaultPlan, seed: number, sessionFrames?: number): Faults {
  const struck = { drop: 0, repeat: 0, reorder: 0, stall: 0, gap: 0, disconnect: 0, badFrame: 0, negative: 0 };
  const causes = KINDS.filter((kind) => plan[kind] !== undefined).map((kind) => {
    const often = frequencyOf(plan, kind);
    const key = keyOf(seed, kind);
    return { kind, key, strikes: typeof often === 'number' ? byChance(kind, often, key) : byCount(kind, often, key) };
  });

  function byCount(kind: FaultKind, often: { count: number; over?: number }, key: number): Strikes {
    const over = often.over ?? sessionFrames;
    if (over === undefined) throw new RangeError(`fault ${kind}: a count needs "over", as a market has no end`);
    const places = spread(often.count, over, key);
    let next = 0;
    return (_stream, _order, place) => {
      if (next >= places.length || place < places[next]!) return false;
      next++;
      return true;
    };
  }

  return {
    seed,
    struck,
    strike(stream, order, place) {
      if (causes.length === 0) return NOTHING;
      let faults: Fault[] | undefined;
      for (const { kind, key, strikes } of causes) {
        if (!strikes(stream, order, place)) continue;
        struck[kind]++;
        (faults ??= []).push(faultOf(plan, kind, unit(key ^ 0x2545f491, order)));
      }
      return faults ?? NOTHING;
    },
  };
}

type Strikes = (stream: string, order: number, place: number) => boolean;

const KINDS = ['drop', 'repeat', 'reorder', 'stall', 'gap', 'disconnect', 'badFrame', 'negative'] as const;
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

function faultOf(plan: FaultPlan, kind: FaultKind, chance: number): Fault {
  if (kind === 'reorder') return { kind, lateUs: Math.floor(chance * plan.reorder!.withinMs * 1000) };
  if (kind === 'stall') return { kind, forMs: plan.stall!.forMs };
  if (kind === 'gap') return { kind, trades: plan.gap!.trades };
  return { kind };
}

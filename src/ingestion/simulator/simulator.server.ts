import { FACE_IDS, type FaceId, type VenueLimits } from './faces/face.js';
import { FACES } from './faces/registry.js';
import { planFaults, type FaultPlan, type Faults } from './faults.js';
import { simulatedMarket, type MarketOptions } from './market.js';
import { bunched, type Bunches, wholeMilliseconds } from './retimed.js';
import type { Tape } from './tape.js';
import { startVenue, type VenueCounts } from './venue.server.js';

export type SimulatorOptions = MarketOptions &
  Readonly<{
    /** Whose protocol it speaks; Binance's unless given. */
    face?: FaceId;
    /** 0 = any free one. */
    port?: number;
    faults?: FaultPlan;
    /** In place of the venue's own. */
    limits?: Partial<VenueLimits>;
    /** The key the venue accepts, where it wants one; any unless given. */
    key?: string;
    /** Bursts of trades at one instant. */
    bunches?: Bunches;
    /** Trades happen at whole milliseconds. */
    wholeMilliseconds?: boolean;
    /** The market's clock, epoch microseconds; the wall clock unless given. */
    nowUs?: () => number;
  }>;

export interface Simulator {
  readonly port: number;
  /** Base of the streams, `ws://127.0.0.1:9443`. */
  readonly url: string;
  readonly restUrl: string;
  /** What it serves, in the venue's spelling. */
  readonly symbols: readonly string[];
  /** What the markets and the faults are drawn from; given again it gives the same ones. */
  readonly seed: number;
  /** All that was ever and will be served, by stream and by REST. */
  readonly tape: Tape;
  readonly faults: Faults;
  readonly counts: VenueCounts;
  announceShutdown(): void;
  close(): Promise<void>;
}

export const simulatedFaces = FACE_IDS;

const PUMP_EVERY_MS = 10;

/** Ten markets behind a venue's protocol on 127.0.0.1. Their history reaches back without end and outlives a restart. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { face = 'binance', port, limits, key, seed = 1, nowUs = () => Date.now() * 1000 } = options;
  const tape = tapeOf(options);
  const faults = planFaults(options.faults ?? {}, seed);
  const venue = await startVenue({
    face: FACES[face],
    tape,
    nowUs,
    faults,
    ...(port !== undefined && { port }),
    ...(limits && { limits }),
    ...(key !== undefined && { key }),
  });
  const pump = setInterval(() => venue.pump(), PUMP_EVERY_MS);
  return {
    port: venue.port,
    url: venue.url,
    restUrl: venue.restUrl,
    symbols: venue.symbols,
    seed,
    tape,
    faults,
    counts: venue.counts,
    announceShutdown: () => venue.announceShutdown(),
    close: async () => {
      clearInterval(pump);
      await venue.close();
    },
  };
}

function tapeOf(options: SimulatorOptions): Tape {
  const market = simulatedMarket(options);
  const inBursts = options.bunches ? bunched(market, options.bunches) : market;
  return options.wholeMilliseconds ? wholeMilliseconds(inBursts) : inBursts;
}

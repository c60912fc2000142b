import { startBinanceFace, type FaceCounts, type VenueLimits } from './binance-face.server.js';
import { planFaults, type FaultPlan, type Faults } from './faults.js';
import { simulatedMarket, type MarketOptions } from './market.js';

export type SimulatorOptions = MarketOptions &
  Readonly<{
    /** 0 = any free one. */
    port?: number;
    faults?: FaultPlan;
    limits?: Partial<VenueLimits>;
    /** The market's clock, epoch microseconds; the wall clock unless given. */
    nowUs?: () => number;
  }>;

export interface Simulator {
  readonly port: number;
  /** Base of the streams, `ws://127.0.0.1:9443`. */
  readonly url: string;
  readonly restUrl: string;
  /** What the markets and the faults are drawn from; given again it gives the same ones. */
  readonly seed: number;
  readonly faults: Faults;
  readonly counts: FaceCounts;
  announceShutdown(): void;
  close(): Promise<void>;
}

const PUMP_EVERY_MS = 10;

/** Ten markets behind Binance's protocol on 127.0.0.1. Its history reaches back without end and outlives a restart. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port, limits, seed = 1, nowUs = () => Date.now() * 1000 } = options;
  const faults = planFaults(options.faults ?? {}, seed);
  const face = await startBinanceFace({
    tape: simulatedMarket(options),
    nowUs,
    faults,
    ...(port !== undefined && { port }),
    ...(limits && { limits }),
  });
  const pump = setInterval(() => face.pump(), PUMP_EVERY_MS);
  return {
    port: face.port,
    url: face.url,
    restUrl: face.restUrl,
    seed,
    faults,
    counts: face.counts,
    announceShutdown: () => face.announceShutdown(),
    close: async () => {
      clearInterval(pump);
      await face.close();
    },
  };
}

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { binance } from './faces/binance.js';
import type { VenueLimits } from './faces/face.js';
import { planFaults, type FaultPlan, type Faults } from './faults.js';
import { RecordingReader, type Recording } from './recording.js';
import { startVenue, type VenueCounts } from './venue.server.js';

export type ReplayOptions = Readonly<{
  /** Recorded sessions, plain or gzip, one after the other as one; or their lines. */
  file?: string | readonly string[];
  lines?: Iterable<string> | AsyncIterable<string>;
  /** Tape time against real time; Infinity = as fast as the clients read. */
  speed?: number;
  /** 0 = any free one. */
  port?: number;
  /** How many times the session is played in all. */
  repeat?: number;
  /** Trades come up to this late (tape time), so their order is shuffled. */
  shuffleMs?: number;
  /** Connections cut, spread over the session. */
  disconnects?: number;
  faults?: FaultPlan;
  /** What the faults are drawn from; a random one when left out, told in `faults.seed`. */
  seed?: number;
  limits?: Partial<VenueLimits>;
}>;

export type ReplaySummary = VenueCounts &
  Readonly<{
    /** False when it was closed before the end was delivered. */
    complete: boolean;
    /** Of the session, `repeat` included. */
    frames: number;
    trades: number;
    /** Lines of the recording that are no frames. */
    unknown: number;
    faults: Faults['struck'];
  }>;

export interface Replay {
  readonly port: number;
  /** Base of the streams, `ws://127.0.0.1:9443`. */
  readonly url: string;
  readonly restUrl: string;
  readonly faults: Faults;
  readonly counts: VenueCounts;
  /**
   * Resolves when the session is over and all of it was written to a client that listens then (who may still be reading);
   * or when it is closed.
   */
  readonly finished: Promise<ReplaySummary>;
  announceShutdown(): void;
  close(): Promise<void>;
}

/**
 * A recorded session behind Binance's protocol on 127.0.0.1. Its clock starts with the first subscription and then runs on
 * whether or not a client is there, so a cut leaves a hole that only REST can fill.
 * Throws RangeError for an empty recording, one above 2 GB, or a wrong speed or repeat.
 */
export async function startReplay(options: ReplayOptions): Promise<Replay> {
  const { speed = 1, repeat = 1, port, limits } = options;
  if (!(speed > 0)) throw new RangeError(`speed is ${speed}, expected above 0`);
  if (!(Number.isInteger(repeat) && repeat > 0)) throw new RangeError(`repeat is ${repeat}, expected 1 or more`);
  const recording = await read(options);
  const tape = recording.tape(repeat);
  const session = tape.session!;
  const faults = planFaults(faultPlan(options), options.seed ?? Math.floor(Math.random() * 2 ** 31), session.frames);
  const clock = new ReplayClock(session.fromUs, session.toUs, speed);
  const venue = await startVenue({
    face: binance,
    tape,
    nowUs: () => clock.nowUs(),
    faults,
    ...(port !== undefined && { port }),
    ...(limits && { limits }),
    onSubscribed: () => clock.start(),
  });

  let tick: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let resolveFinished: (summary: ReplaySummary) => void;
  const finished = new Promise<ReplaySummary>((resolve) => {
    resolveFinished = resolve;
  });
  const finish = (complete: boolean): void => {
    const { frames, trades } = session;
    resolveFinished({
      ...venue.counts,
      complete,
      frames,
      trades,
      unknown: recording.unknown,
      faults: { ...faults.struck },
    });
  };
  const step = (): void => {
    const { listeners, behind, unsettled } = venue.pump();
    if (clock.over && listeners > unsettled) finish(true);
    const eager = clock.advance(listeners, behind);
    tick = eager ? setImmediate(step) : setTimeout(step, PUMP_EVERY_MS);
  };
  step();

  return {
    port: venue.port,
    url: venue.url,
    restUrl: venue.restUrl,
    faults,
    counts: venue.counts,
    finished,
    announceShutdown: () => venue.announceShutdown(),
    close: async () => {
      clearTimeout(tick as NodeJS.Timeout);
      clearImmediate(tick as NodeJS.Immediate);
      finish(false);
      await venue.close();
    },
  };
}

const PUMP_EVERY_MS = 10;
/** Without a speed of its own the clock takes such steps while all clients keep up … */
const STEP_US = 1_000_000;
/** … and this speed while nobody listens, so that an outage costs a hole and not the rest of the session. */
const UNHEARD_SPEED = 60;

/** Tape time of a replay. Before the start it stands just ahead of the first frame; it stops at the last. */
class ReplayClock {
  private atUs: number;
  private startedMs: number | undefined;
  private movedMs = 0;

  constructor(
    private readonly fromUs: number,
    private readonly toUs: number,
    private readonly speed: number,
  ) {
    this.atUs = fromUs - 1;
  }

  get over(): boolean {
    return this.nowUs() >= this.toUs;
  }

  start(): void {
    if (this.startedMs === undefined) this.startedMs = this.movedMs = performance.now();
  }

  nowUs(): number {
    if (this.startedMs === undefined || this.speed === Infinity) return this.atUs;
    const runMs = performance.now() - this.startedMs;
    return Math.min(this.toUs, Math.floor(this.fromUs + runMs * 1000 * this.speed));
  }

  /** Moves a clock without speed of its own; true when it may be moved again at once. */
  advance(listeners: number, behind: number): boolean {
    if (this.startedMs === undefined || this.speed !== Infinity) return false;
    const nowMs = performance.now();
    const sinceMs = nowMs - this.movedMs;
    this.movedMs = nowMs;
    if (behind > 0 || this.atUs >= this.toUs) return false;
    const byUs = listeners > 0 ? STEP_US : sinceMs * 1000 * UNHEARD_SPEED;
    this.atUs = Math.min(this.toUs, Math.floor(this.atUs + byUs));
    return listeners > 0;
  }
}

function faultPlan({ faults = {}, shuffleMs, disconnects }: ReplayOptions): FaultPlan {
  return {
    ...faults,
    ...(shuffleMs && { reorder: { often: 1, withinMs: shuffleMs } }),
    ...(disconnects && { disconnect: { count: disconnects } }),
  };
}

async function read({ file, lines }: ReplayOptions): Promise<Recording> {
  const reader = new RecordingReader();
  const files = typeof file === 'string' ? [file] : (file ?? []);
  for (const path of files) for await (const line of await linesOf(path)) reader.add(line);
  for await (const line of lines ?? []) reader.add(line);
  return reader.finish();
}

/** Lines of a plain or gzip file, told apart by its first two bytes. Throws what the file system says of it. */
async function linesOf(path: string): Promise<AsyncIterable<string>> {
  const handle = await open(path);
  const magic = Buffer.alloc(2);
  await handle.read(magic, 0, 2, 0).finally(() => handle.close());
  const bytes = createReadStream(path);
  let input: Readable = bytes;
  if (magic[0] === 0x1f && magic[1] === 0x8b) {
    const gunzip = createGunzip();
    bytes.on('error', (error) => gunzip.destroy(error));
    input = bytes.pipe(gunzip);
  }
  return createInterface({ input, crlfDelay: Infinity });
}

import type { IntervalName } from '../../contracts/index.js';
import type { Bar, Indicator } from './indicator.js';
import { RollingSum } from './rolling.js';
import { sessionOf } from './sessions.js';

/** Volume-weighted average price since the session (`sessionOf`) began; undefined until something is traded in it. */
export class SessionVwap implements Indicator {
  private sessionEndUs = -Infinity;
  private volume = 0;
  private quoteVolume = 0;

  constructor(private readonly interval: IntervalName) {}

  next({ openTimeUs, volume, quoteVolume }: Bar): number | undefined {
    if (openTimeUs >= this.sessionEndUs) {
      this.sessionEndUs = sessionOf(openTimeUs, this.interval).endUs;
      this.volume = 0;
      this.quoteVolume = 0;
    }
    this.volume += volume;
    this.quoteVolume += quoteVolume;
    return average(this.quoteVolume, this.volume);
  }

  peek({ openTimeUs, volume, quoteVolume }: Bar): number | undefined {
    if (openTimeUs >= this.sessionEndUs) return average(quoteVolume, volume);
    return average(this.quoteVolume + quoteVolume, this.volume + volume);
  }
}

/** Volume-weighted average price of the last `length` bars; undefined where none of them has volume. */
export class RollingVwap implements Indicator {
  private readonly volumes: RollingSum;
  private readonly quoteVolumes: RollingSum;

  constructor(length: number) {
    this.volumes = new RollingSum(length);
    this.quoteVolumes = new RollingSum(length);
  }

  next({ volume, quoteVolume }: Bar): number | undefined {
    return average(this.quoteVolumes.next(quoteVolume), this.volumes.next(volume));
  }

  peek({ volume, quoteVolume }: Bar): number | undefined {
    return average(this.quoteVolumes.peek(quoteVolume), this.volumes.peek(volume));
  }
}

const average = (quoteVolume: number | undefined, volume: number | undefined): number | undefined =>
  quoteVolume === undefined || volume === undefined || volume === 0 ? undefined : quoteVolume / volume;

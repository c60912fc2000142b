import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { TradesDroppedV1, type TradesReceivedV1Data, type VenueId } from '../contracts/index.js';
import { Hears } from '../platform/bus/index.js';
import { CONNECTORS } from './connectors/registry.js';
import { CoverageStore, type SeriesKey } from './coverage.store.js';
import { Gaps } from './gaps.service.js';
import { receivedAtUs, unheard } from './made-ids.js';

const TRY_EVERY_MS = 1000;
/** While the database is away; beyond, spells of one series are joined into one. */
const MOST_WAITING = 1000;

type Spell = SeriesKey & { fromUs: number | undefined; toUs: number; reason: string };

/** Records when nobody listened to a venue that numbers no trades and has no history: a hole that stays in sight. */
@Injectable()
export class UnheardSpells implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Gaps');
  private waiting: Spell[] = [];
  private timer: NodeJS.Timeout | undefined;
  private keeping: Promise<void> | undefined;

  constructor(
    private readonly coverage: CoverageStore,
    private readonly gaps: Gaps,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(
      () => (this.keeping ??= this.keep().finally(() => (this.keeping = undefined))),
      TRY_EVERY_MS,
    );
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.keeping;
    await this.keep();
  }

  /** `fromUs` undefined: since the last trade that was recorded, if any was. */
  note(
    source: VenueId,
    symbols: readonly Readonly<{ venueSymbol: string; symbol: string }>[],
    fromUs: number | undefined,
    toUs: number,
    reason: string,
  ): void {
    for (const { venueSymbol, symbol } of symbols) this.add({ source, venueSymbol, symbol, fromUs, toUs, reason });
  }

  @Hears(TradesDroppedV1, 'ingestion.note-dropped')
  onTradesDropped({ trades }: TradesReceivedV1Data): void {
    for (const { source, venueSymbol, symbol, receivedAtUs: atUs } of trades) {
      if (CONNECTORS[source as VenueId]?.contiguousIds !== false) continue;
      this.add({
        source,
        venueSymbol,
        symbol,
        fromUs: atUs,
        toUs: atUs + 1,
        reason: 'received and dropped: the queue in front of recording was full',
      });
    }
  }

  private add(spell: Spell): void {
    const last = this.waiting.findLast((one) => one.source === spell.source && one.venueSymbol === spell.venueSymbol);
    const isOneSpell = last?.reason === spell.reason || this.waiting.length >= MOST_WAITING;
    if (last && isOneSpell && spell.fromUs !== undefined) last.toUs = Math.max(last.toUs, spell.toUs);
    else this.waiting.push(spell);
  }

  private async keep(): Promise<void> {
    try {
      while (this.waiting.length > 0) {
        await this.keepOne(this.waiting[0]!);
        this.waiting.shift();
      }
    } catch (error) {
      this.logger.warn(`${this.waiting.length} spells without a listener wait to be kept: ${(error as Error).message}`);
    }
  }

  private async keepOne({ reason, fromUs, toUs, ...key }: Spell): Promise<void> {
    const end = (await this.coverage.ends(key.source)).get(key.venueSymbol);
    // a series that begins later says by itself that nothing is known of the time before
    if (!end) return;
    const sinceUs = fromUs ?? receivedAtUs(end.nextId - 1n);
    if (sinceUs >= toUs) return;
    await this.gaps.openUnfillable({ ...key, ...unheard(sinceUs, toUs) }, reason);
    this.logger.warn(`${key.symbol}: trades of ${Math.round((toUs - sinceUs) / 1e6)} s were not heard: ${reason}`);
  }
}

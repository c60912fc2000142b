import { Injectable } from '@nestjs/common';
import { isPolled, TradesReceivedV1 } from '../contracts/index.js';
import { Bus, DeadLetters, type ReplayedLetter } from '../platform/bus/index.js';
import type { Connector } from './connectors/connector.js';
import { CONNECTORS } from './connectors/registry.js';

type Transaction = Parameters<Bus['append']>[0];

/** Reads frames again that could not be read: by the connector as it is now, or as a person has edited them. */
@Injectable()
export class FrameReplays {
  constructor(
    private readonly bus: Bus,
    deadLetters: DeadLetters,
  ) {
    deadLetters.onReplay('feed', async (letter, tx) => this.read(letter, tx));
  }

  /**
   * Its trades are handed to recording once the letter is closed, as live ones are; ids that are made here come out as
   * they would have then. Throws what the connector throws.
   */
  private read({ source, payload, firstFailedAtUs }: ReplayedLetter, tx: Transaction): void {
    const parsed = connectorOf(source.id).parse(payload.toString(), firstFailedAtUs);
    if (parsed.kind === 'unknown') throw new Error('the frame has no shape this connector knows');
    if (parsed.kind !== 'trades') return;
    const [bad] = parsed.badRows ?? [];
    if (bad) throw bad;
    if (parsed.trades.length > 0) this.bus.emitAfterCommit(tx, TradesReceivedV1, { trades: parsed.trades });
  }
}

function connectorOf(source: string): Connector {
  if (Object.hasOwn(CONNECTORS, source)) return CONNECTORS[source as keyof typeof CONNECTORS];
  if (isPolled(source)) throw new Error(`${source} is asked anew on schedule: an old answer is of no use`);
  throw new Error(`there is no feed ${source} any more`);
}

import { Logger } from '@nestjs/common';
import type { Connector, Product } from './connectors/connector.js';
import type { VenueRest } from './venue-rest.service.js';

const WAIT_AT_START_MS = 5000;
const ASK_AGAIN_MS = 60_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** The venue's own list of symbols: waited for briefly at the start, and asked for again until it comes. */
export class VenueProducts {
  private readonly logger: Logger;
  private readonly answer: Promise<Product[] | undefined>;
  private hasStarted = false;
  private stopped = false;
  private pause: NodeJS.Timeout | undefined;

  constructor(
    private readonly connector: Connector,
    private readonly restUrl: string,
    private readonly rest: VenueRest,
  ) {
    this.logger = new Logger(`Feed ${connector.id}`);
    this.answer = this.ask();
  }

  /** The list, or undefined when it did not come in time: the start does not hang on it. */
  async atStart(): Promise<Product[] | undefined> {
    const tooLate = new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), WAIT_AT_START_MS).unref();
    });
    const products = await Promise.race([this.answer, tooLate]);
    this.hasStarted = products !== undefined;
    if (!products) this.logger.warn("the venue's list of symbols did not come: every symbol is tried as it is spelled");
    return products;
  }

  /** Tells the list once it comes, when it was too late for the start. */
  later(tell: (products: Product[]) => void): void {
    if (!this.hasStarted) void this.answer.then((products) => products && tell(products));
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.pause);
  }

  /** Undefined only when it was stopped. */
  private async ask(): Promise<Product[] | undefined> {
    while (!this.stopped) {
      try {
        const list = this.connector.products!;
        const products = list.parse(await this.rest.get(list.request(this.restUrl), list.weight, MAX_BODY_BYTES));
        if (products.length > 0) return products;
        throw new Error('it is empty'); // believed, it would leave every symbol out
      } catch (error) {
        if (this.stopped) break;
        this.logger.warn(`the venue's list of symbols cannot be had: ${(error as Error).message}`);
        await new Promise((resolve) => (this.pause = setTimeout(resolve, ASK_AGAIN_MS).unref()));
      }
    }
    return undefined;
  }
}

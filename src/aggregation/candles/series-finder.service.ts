import { Injectable } from '@nestjs/common';
import { SYMBOL } from '../../contracts/index.js';
import { preferredSource, Settings } from '../../platform/config/index.js';
import { unknownSymbol } from '../../platform/errors/index.js';
import { CandleStore, type SeriesKey } from './candle.store.js';

/** Which series a request means. */
@Injectable()
export class SeriesFinder {
  constructor(
    private readonly candles: CandleStore,
    private readonly settings: Settings,
  ) {}

  /**
   * The series of a symbol at a source; without one the first configured feed that has the symbol. Throws
   * `market.unknown-symbol` when nothing of it was recorded.
   */
  async find(symbol: string, source: string | undefined): Promise<SeriesKey> {
    const [key] = await this.findAll([symbol], source);
    return key!;
  }

  /** As `find`, for several symbols in one query. */
  async findAll(symbols: readonly string[], source: string | undefined): Promise<SeriesKey[]> {
    const stranger = symbols.find((symbol) => !SYMBOL.test(symbol));
    if (stranger !== undefined) throw unknownSymbol(stranger, source);
    const sources = await this.candles.sourcesOf(symbols);
    return symbols.map((symbol, i) => {
      const having = sources[i]!;
      const chosen =
        source === undefined ? preferredSource(having, this.settings.FEEDS) : having.find((one) => one === source);
      if (chosen === undefined) throw unknownSymbol(symbol, source);
      return { source: chosen, symbol };
    });
  }
}

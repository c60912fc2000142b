import type { Connector, Product } from './connectors/connector.js';

/** A symbol to read, or one that is left out and why. */
export type Listed = Readonly<{ venueSymbol: string; symbol: string; problem?: string }>;

/**
 * What a person asked for, in the venue's spelling and with its canonical name. With the venue's own list, what it does
 * not trade is named; without it (`products` undefined) the connector's own spelling is trusted. A second symbol of one
 * canonical name is left out: their trades would mix in one series.
 */
export function listSymbols(
  connector: Pick<Connector, 'spelling' | 'canonical'>,
  asked: readonly string[],
  products: readonly Product[] | undefined,
): Listed[] {
  const byName = new Map<string, Product>();
  for (const product of products ?? []) {
    for (const alias of product.aliases) if (!byName.has(alias)) byName.set(alias, product);
  }
  for (const product of products ?? []) byName.set(product.venueSymbol, product);
  const taken = new Map<string, string>();
  return asked.map((name) => {
    const spelled = connector.spelling(name);
    const product = byName.get(spelled) ?? byName.get(name);
    const venueSymbol = product?.venueSymbol ?? spelled;
    const symbol = connector.canonical(venueSymbol);
    const problem = problemOf(products !== undefined, product, taken.get(symbol));
    if (problem === undefined) taken.set(symbol, name);
    // what is left out is shown as it was written
    return problem === undefined ? { venueSymbol, symbol } : { venueSymbol: name, symbol, problem };
  });
}

function problemOf(isListed: boolean, product: Product | undefined, twin: string | undefined): string | undefined {
  if (isListed && !product) return "not on the venue's list of symbols";
  if (product && !product.isTrading) return 'listed by the venue, but not traded now';
  return twin === undefined ? undefined : `is the same series as ${twin}, which is read already`;
}

/** The highest trade id known of each venue symbol, recorded or not, delivered or only told of. */
export type Frontier = Map<string, { symbol: string; lastId: bigint }>;

export function advance(frontier: Frontier, venueSymbol: string, symbol: string, id: bigint): void {
  const known = frontier.get(venueSymbol);
  if (!known) frontier.set(venueSymbol, { symbol, lastId: id });
  else if (id > known.lastId) known.lastId = id;
}

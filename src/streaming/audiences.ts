import { type Filter, filterKey, matches } from './filter.js';
import type { UpdateGroup } from './update-group.js';

type Audience<Client> = {
  readonly key: string;
  readonly filter: Filter;
  readonly clients: Set<Client>;
  texts: string[];
  counts: Map<string, number>;
};

/** Hands one audience what waited for it: texts in order, and how many updates of each type they hold. */
type Deliver<Client> = (
  clients: ReadonlySet<Client>,
  texts: readonly string[],
  counts: ReadonlyMap<string, number>,
) => void;

/** Clients that want the same share one filter run and one joined text, however many they are. */
export class Audiences<Client> {
  private readonly byKey = new Map<string, Audience<Client>>();
  private readonly byClient = new Map<Client, Audience<Client>>();

  constructor(
    private readonly textOf: (group: UpdateGroup) => string,
    private readonly deliver: Deliver<Client>,
  ) {}

  /** From here on the client gets what `filter` lets through, and nothing that was offered before. */
  join(client: Client, filter: Filter): void {
    this.leave(client);
    const key = filterKey(filter);
    let audience = this.byKey.get(key);
    if (audience) this.hand(audience);
    else this.byKey.set(key, (audience = { key, filter, clients: new Set(), texts: [], counts: new Map() }));
    audience.clients.add(client);
    this.byClient.set(client, audience);
  }

  leave(client: Client): void {
    const audience = this.byClient.get(client);
    if (!audience) return;
    this.byClient.delete(client);
    audience.clients.delete(client);
    if (audience.clients.size === 0) this.byKey.delete(audience.key);
  }

  offer(groups: readonly UpdateGroup[]): void {
    for (const audience of this.byKey.values()) {
      for (const group of groups) {
        if (!matches(audience.filter, group.subject)) continue;
        const { type } = group.subject;
        audience.texts.push(this.textOf(group));
        audience.counts.set(type, (audience.counts.get(type) ?? 0) + group.count);
      }
    }
  }

  /** Hands over everything that waits. */
  flush(): void {
    for (const audience of this.byKey.values()) this.hand(audience);
  }

  private hand(audience: Audience<Client>): void {
    const { texts, counts } = audience;
    if (texts.length === 0) return;
    audience.texts = [];
    audience.counts = new Map();
    this.deliver(audience.clients, texts, counts);
  }
}

/**
 * Volatile events live in memory behind bounded queues and may be lost in a crash; durable ones are rows that reach
 * every consumer at least once, with one effect (design, section 3).
 */
export type EventKind = 'volatile' | 'durable';

/** One event as modules agree on it. `data` never exists at run time: it only carries the type. */
export type EventContract<Kind extends EventKind, Data> = Readonly<{ kind: Kind; name: string; data?: Data }>;
export type VolatileEvent<Data> = EventContract<'volatile', Data>;
export type DurableEvent<Data> = EventContract<'durable', Data>;
export type AnyEvent<Data> = VolatileEvent<Data> | DurableEvent<Data>;

/** `name` is `owner.noun-verbed.vN`; the owner is the module that knows it is true. */
export const volatile = <Data>(name: string): VolatileEvent<Data> => ({ kind: 'volatile', name });
export const durable = <Data>(name: string): DurableEvent<Data> => ({ kind: 'durable', name });

import type { EntityManager } from 'typeorm';
import type { AnyEvent, DurableEvent, VolatileEvent } from '../../contracts/index.js';
import type { Settings } from '../config/index.js';

export type ConsumerMeta = Readonly<{
  kind: 'consumer';
  event: DurableEvent<unknown>;
  /** `module.verb-noun`: the name under which deliveries of this consumer are kept, for ever. */
  name: string;
  /** Most events one transaction handles; 1 hands over the event itself, more an array. */
  batch: number;
  /** How long a batch waits for company. */
  lingerMs: number;
}>;

export type HearerMeta = Readonly<{
  kind: 'hearer';
  event: AnyEvent<unknown>;
  name: string;
  queue?: QueueLimits<unknown>;
}>;

export type QueueLimits<Data> = Readonly<{
  /** Total weight that may wait; what comes beyond is dropped and counted. */
  bound: (settings: Settings) => number;
  /** Most weight handed over at once. */
  take: number;
  weigh: (data: Data) => number;
  /** Told with what was dropped. */
  dropped?: VolatileEvent<Data>;
}>;

/** What a hearer learns besides the data: the position of a durable event, absent for a volatile one. */
export type Heard = Readonly<{ eventId?: string; name: string }>;

export const HANDLERS = Symbol('tapeline:handlers');

/** The method may take fewer arguments than it is given. */
type HandlerDecorator<Args extends unknown[], Result> = <Method extends (...args: Args) => Result>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/**
 * Handles each event once in effect: the method runs in the transaction that settles its delivery. It may run again
 * after a failure or a crash, then with nothing left of the earlier run. No HTTP inside.
 */
export function Consumes<Data>(
  event: DurableEvent<Data>,
  name: string,
): HandlerDecorator<[data: Data, tx: EntityManager], Promise<void>> {
  return mark({ kind: 'consumer', event, name, batch: 1, lingerMs: 0 });
}

/** As Consumes, with up to `batch` events in one transaction; a batch that fails is tried again one by one. */
export function ConsumesBatch<Data>(
  event: DurableEvent<Data>,
  name: string,
  options: { batch: number; lingerMs?: number },
): HandlerDecorator<[data: readonly Data[], tx: EntityManager], Promise<void>> {
  return mark({ kind: 'consumer', event, name, batch: options.batch, lingerMs: options.lingerMs ?? 0 });
}

/** Hears a volatile event, or a durable one after its commit, synchronously and in memory. Must be quick. */
export function Hears<Data>(event: AnyEvent<Data>, name: string): HandlerDecorator<[data: Data, heard: Heard], void> {
  return mark({ kind: 'hearer', event, name });
}

/** Hears through a bounded queue: one call at a time, with all that waited meanwhile. */
export function HearsQueued<Data>(
  event: AnyEvent<Data>,
  name: string,
  queue: QueueLimits<Data>,
): HandlerDecorator<[data: readonly Data[]], Promise<void>> {
  return mark({ kind: 'hearer', event, name, queue: queue as QueueLimits<unknown> });
}

function mark(meta: ConsumerMeta | HearerMeta) {
  return (_target: object, _key: string | symbol, descriptor: PropertyDescriptor): void => {
    const method = descriptor.value as object;
    Reflect.defineMetadata(HANDLERS, [...handlersOf(method), meta], method);
  };
}

export function handlersOf(method: object): (ConsumerMeta | HearerMeta)[] {
  return (Reflect.getMetadata(HANDLERS, method) as (ConsumerMeta | HearerMeta)[] | undefined) ?? [];
}

import type { DeliveryReceivedV1Data } from '../contracts/index.js';

/** What a payload says, in the one shape of all webhooks, before it has an id. */
export type Normalised = Omit<DeliveryReceivedV1Data, 'deliveryId' | 'source'>;

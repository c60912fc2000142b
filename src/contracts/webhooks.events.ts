import { durable } from './event.js';
import type { Json } from './log.js';

/** A signed delivery, verified and stored once, brought to one shape; absent fields are null. */
export type DeliveryReceivedV1Data = Readonly<{
  /** Ours; unique. */
  deliveryId: string;
  /** `github`, or the name of a hook in WEBHOOKS. */
  source: string;
  /** `push`, `issues`. */
  type: string;
  action: string | null;
  repository: string | null;
  actor: string | null;
  ref: string | null;
  /** Of the issue, pull request or discussion. */
  number: number | null;
  url: string | null;
  /** What else is worth keeping, small: counts, titles, states. */
  fields: Readonly<Record<string, Json>>;
  /** Event time where the payload tells one, else when it was received; epoch microseconds. */
  atUs: number;
}>;
export const DeliveryReceivedV1 = durable<DeliveryReceivedV1Data>('webhooks.delivery-received.v1');

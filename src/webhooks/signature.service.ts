import { createHmac, timingSafeEqual } from 'node:crypto';

/** Why a delivery is not trusted, in words that tell no secret. */
export type Distrust = Readonly<{ reason: 'missing' | 'malformed' | 'sha1-only' | 'wrong' | 'stale'; detail: string }>;

type Headers = Readonly<Record<string, string | undefined>>;

const HEX_SHA256 = /^sha256=([0-9a-f]{64})$/;

/**
 * Holds the raw bytes against `X-Hub-Signature-256`, with each secret in turn; undefined when one fits. Source: GitHub's
 * "Validating webhook deliveries" (docs.github.com), vectors in ../shared/data/vectors/webhook_signatures.json.
 */
export function distrustOfGithub(body: Buffer, headers: Headers, secrets: readonly string[]): Distrust | undefined {
  const signature = headers['x-hub-signature-256'];
  if (signature === undefined) {
    return headers['x-hub-signature'] === undefined
      ? { reason: 'missing', detail: 'X-Hub-Signature-256 is missing: set a secret for the hook' }
      : { reason: 'sha1-only', detail: 'X-Hub-Signature is SHA-1, which is not taken; X-Hub-Signature-256 is needed' };
  }
  const hex = HEX_SHA256.exec(signature)?.[1];
  if (hex === undefined)
    return { reason: 'malformed', detail: 'X-Hub-Signature-256 must be sha256= and 64 lower-case hex digits' };
  const given = Buffer.from(hex, 'hex');
  return anyFits(secrets, (secret) => equal(given, createHmac('sha256', secret).update(body).digest()))
    ? undefined
    : { reason: 'wrong', detail: 'X-Hub-Signature-256 fits none of the secrets' };
}

const TOLERANCE_S = 300;

/**
 * Holds the raw bytes against the headers of Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, any of several
 * signatures, at most five minutes old or ahead. Secrets are `whsec_` and base64.
 */
export function distrustOfStandard(
  body: Buffer,
  headers: Headers,
  secrets: readonly string[],
  nowMs: number,
): Distrust | undefined {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  for (const [name, value] of Object.entries({
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures,
  }))
    if (value === undefined || value === '') return { reason: 'missing', detail: `${name} is missing` };
  if (!/^\d{1,12}$/.test(timestamp!)) return { reason: 'malformed', detail: 'webhook-timestamp must be epoch seconds' };
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > TOLERANCE_S)
    return { reason: 'stale', detail: `webhook-timestamp is more than ${TOLERANCE_S} s away from the clock here` };
  const given = signatures!.split(' ').flatMap((one) => {
    const base64 = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(one)?.[1];
    return base64 === undefined ? [] : [Buffer.from(base64, 'base64')];
  });
  if (given.length === 0) return { reason: 'malformed', detail: 'webhook-signature holds no v1 signature' };
  const fits = anyFits(secrets, (secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const wanted = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
    return anyFits(given, (one) => equal(one, wanted));
  });
  return fits ? undefined : { reason: 'wrong', detail: 'webhook-signature fits none of the secrets' };
}

/** Asks all of them, so that the time tells nothing of which one fits. */
const anyFits = <T>(all: readonly T[], fits: (one: T) => boolean): boolean => all.map(fits).includes(true);

/** `timingSafeEqual` throws where lengths differ. */
const equal = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

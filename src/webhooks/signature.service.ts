import { createHash, createHmac, type Hmac, timingSafeEqual } from 'node:crypto';

/** Why a delivery is not trusted, in words that tell no secret. */
export type Distrust = Readonly<{ reason: 'missing' | 'malformed' | 'sha1-only' | 'wrong' | 'stale'; detail: string }>;

type Headers = Readonly<Record<string, string | undefined>>;

/** What a sender signed, heard piece by piece: a large body in one go would hold up everything else, once for each secret. */
export class SignedBody {
  private readonly sha256 = createHash('sha256');
  private heardBytes = 0;

  /** `hmacs`: one of each secret, over what comes before the body. */
  constructor(
    private readonly header: string,
    private readonly given: readonly Buffer[],
    private readonly hmacs: readonly Hmac[],
  ) {}

  hear(chunk: Buffer): void {
    this.heardBytes += chunk.length;
    this.sha256.update(chunk);
    for (const hmac of this.hmacs) hmac.update(chunk);
  }

  /** To be asked once, when all was heard. */
  end(bytes: number): Readonly<{ distrust: Distrust | undefined; sha256: Buffer }> {
    const wanted = this.hmacs.map((hmac) => hmac.digest());
    const fits =
      anyFits(wanted, (one) => anyFits(this.given, (given) => equal(one, given))) && bytes === this.heardBytes;
    return {
      distrust: fits ? undefined : { reason: 'wrong', detail: `${this.header} fits none of the secrets` },
      sha256: this.sha256.digest(),
    };
  }
}

const HEX_SHA256 = /^sha256=([0-9a-f]{64})$/;

/**
 * What `X-Hub-Signature-256` promises of the raw bytes, held against each secret; or why it promises nothing. Source: GitHub's
 * "Validating webhook deliveries" (docs.github.com), vectors in ../shared/data/vectors/webhook_signatures.json.
 */
export function signedByGithub(headers: Headers, secrets: readonly string[]): SignedBody | Distrust {
  const signature = headers['x-hub-signature-256'];
  if (signature === undefined) {
    return headers['x-hub-signature'] === undefined
      ? { reason: 'missing', detail: 'X-Hub-Signature-256 is missing: set a secret for the hook' }
      : { reason: 'sha1-only', detail: 'X-Hub-Signature is SHA-1, which is not taken; X-Hub-Signature-256 is needed' };
  }
  const hex = HEX_SHA256.exec(signature)?.[1];
  if (hex === undefined)
    return { reason: 'malformed', detail: 'X-Hub-Signature-256 must be sha256= and 64 lower-case hex digits' };
  return new SignedBody(
    'X-Hub-Signature-256',
    [Buffer.from(hex, 'hex')],
    secrets.map((secret) => createHmac('sha256', secret)),
  );
}

const TOLERANCE_S = 300;
/** Each is held against each secret. */
const MOST_SIGNATURES = 20;

/**
 * What the headers of Standard Webhooks 1.0.0 promise: HMAC-SHA256 over `id.timestamp.body`, any of several signatures, at most
 * five minutes old or ahead. Secrets are `whsec_` and base64.
 */
export function signedByStandard(headers: Headers, secrets: readonly string[], nowMs: number): SignedBody | Distrust {
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
  const given = signatures!.split(' ', MOST_SIGNATURES).flatMap((one) => {
    const base64 = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(one)?.[1];
    return base64 === undefined ? [] : [Buffer.from(base64, 'base64')];
  });
  if (given.length === 0) return { reason: 'malformed', detail: 'webhook-signature holds no v1 signature' };
  const hmacs = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return createHmac('sha256', key).update(`${id}.${timestamp}.`);
  });
  return new SignedBody('webhook-signature', given, hmacs);
}

/** Asks all of them, so that the time tells nothing of which one fits. */
const anyFits = <T>(all: readonly T[], fits: (one: T) => boolean): boolean => all.map(fits).includes(true);

/** `timingSafeEqual` throws where lengths differ. */
const equal = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { Settings } from '../platform/config/index.js';
import { AppError } from '../platform/errors/index.js';
import type { BodyGate } from '../platform/http/index.js';
import { GITHUB } from './payload.js';
import { type Distrust, SignedBody, signedByGithub, signedByStandard } from './signature.service.js';

type Headers = Readonly<Record<string, string>>;

/** Whose delivery it is, by its headers. `type`: as far as they tell it. */
export type Announced = Readonly<{
  source: string;
  type: string | undefined;
  deliveryId: string;
  hookId: string;
  headers: Headers;
}>;

/** A delivery whose signature was right. */
export type Trusted = Announced & Readonly<{ bodySha256: Buffer }>;

const NAME = /^[\w.:/-]{1,100}$/;

/** Refuses deliveries: what it can by their headers, before any of the body is read, and by their signature at its end. */
@Injectable()
export class ReceiptGate implements BodyGate {
  /** Secrets by hook. */
  private readonly hooks: ReadonlyMap<string, readonly string[]>;
  private readonly githubSecrets: readonly string[];
  private readonly admitted = new WeakMap<IncomingMessage, Readonly<{ announced: Announced; signed: SignedBody }>>();

  constructor(
    { WEBHOOKS, GITHUB_WEBHOOK_SECRET }: Settings,
    @InjectMetric('webhook_deliveries_total') private readonly total: Counter<'source' | 'result'>,
  ) {
    const pairs = WEBHOOKS.map((one) => [one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1)]);
    const byName = Map.groupBy(pairs, ([name]) => name!);
    this.hooks = new Map([...byName].map(([name, those]) => [name, those.map(([, secret]) => secret!)]));
    this.githubSecrets = GITHUB_WEBHOOK_SECRET;
  }

  admit(request: IncomingMessage, { name }: Readonly<Record<string, string>>): SignedBody {
    const headers = singular(request);
    const [announced, signed] = name === undefined ? this.github(headers) : this.standard(name, headers);
    this.admitted.set(request, { announced, signed });
    return signed;
  }

  /** To be asked once, when the body is there; throws when it is not what was signed. */
  trusted(request: IncomingMessage, bytes: number): Trusted {
    const { announced, signed } = this.admitted.get(request)!;
    const { distrust, sha256 } = signed.end(bytes);
    if (distrust) throw this.refusal(announced.source, distrust);
    return { ...announced, bodySha256: sha256 };
  }

  private github(headers: Headers): [Announced, SignedBody] {
    if (this.githubSecrets.length === 0)
      throw new AppError('webhooks.not-set-up', 'set GITHUB_WEBHOOK_SECRET to the secret of the hook');
    const signed = this.promise(GITHUB, signedByGithub(headers, this.githubSecrets));
    const type = this.named(GITHUB, headers, 'x-github-event');
    const deliveryId = this.named(GITHUB, headers, 'x-github-delivery');
    const hookId = headers['x-github-hook-id'] ? this.named(GITHUB, headers, 'x-github-hook-id') : '';
    return [{ source: GITHUB, type, deliveryId, hookId, headers }, signed];
  }

  private standard(name: string, headers: Headers): [Announced, SignedBody] {
    const secrets = this.hooks.get(name);
    if (!secrets) throw new AppError('webhooks.unknown-hook', `${name.slice(0, 60)} does not stand in WEBHOOKS`);
    const signed = this.promise(name, signedByStandard(headers, secrets, Date.now()));
    const deliveryId = this.named(name, headers, 'webhook-id');
    return [{ source: name, type: undefined, deliveryId, hookId: '', headers }, signed];
  }

  private promise(source: string, promise: SignedBody | Distrust): SignedBody {
    if (promise instanceof SignedBody) return promise;
    throw this.refusal(source, promise);
  }

  private refusal(source: string, { reason, detail }: Distrust): AppError {
    this.total.inc({ source, result: `untrusted-${reason}` });
    return new AppError('webhooks.untrusted', detail);
  }

  private named(source: string, headers: Headers, name: string): string {
    const value = headers[name];
    if (value !== undefined && NAME.test(value)) return value;
    this.total.inc({ source, result: 'malformed' });
    throw new AppError(
      'webhooks.bad-delivery',
      `${name} must be there, of 1 to 100 letters, digits and any of . _ : / -`,
    );
  }
}

/** Node joins what stands twice, but for a few. */
const singular = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );

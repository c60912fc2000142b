import { existsSync, readFileSync } from 'node:fs';
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Distrust, SignedBody, signedByGithub, signedByStandard } from './signature.service.js';

const VECTORS = new URL('../../../shared/data/vectors/webhook_signatures.json', import.meta.url);
type Vector = { name: string; algo?: string; secret: string; body: string; signature: string; valid: boolean };

type Headers = Record<string, string | undefined>;
/** The body comes in two pieces. */
function heard(body: Buffer, signed: SignedBody | Distrust): Distrust | undefined {
  if (!(signed instanceof SignedBody)) return signed;
  signed.hear(body.subarray(0, 5));
  signed.hear(body.subarray(5));
  return signed.end(body.length).distrust;
}
const distrustOfGithub = (body: Buffer, headers: Headers, secrets: string[]): Distrust | undefined =>
  heard(body, signedByGithub(headers, secrets));
const distrustOfStandard = (body: Buffer, headers: Headers, secrets: string[], nowMs: number): Distrust | undefined =>
  heard(body, signedByStandard(headers, secrets, nowMs));

describe.skipIf(!existsSync(VECTORS))('recorded signatures (../shared/data/vectors)', () => {
  const { cases } = existsSync(VECTORS)
    ? (JSON.parse(readFileSync(VECTORS, 'utf8')) as { cases: Vector[] })
    : { cases: [] };
  // the one with another algorithm is no GitHub signature: it is refused as malformed
  it.each(cases)('$name', ({ secret, body, signature, valid, algo }) => {
    const distrust = distrustOfGithub(Buffer.from(body), { 'x-hub-signature-256': signature }, [secret]);
    expect(distrust === undefined).toBe(valid && algo === undefined);
  });
});

describe('a signature of GitHub', () => {
  const body = Buffer.from('{"zen":"Größe ♥"}');
  const sign = (secret: string) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

  it('fits any of several secrets', () => {
    for (const secret of ['old-secret', 'new-secret'])
      expect(distrustOfGithub(body, { 'x-hub-signature-256': sign(secret) }, ['old-secret', 'new-secret'])).toBe(
        undefined,
      );
    expect(distrustOfGithub(body, { 'x-hub-signature-256': sign('other') }, ['old-secret', 'new-secret'])?.reason).toBe(
      'wrong',
    );
  });

  it('is of no body that was not heard whole', () => {
    const signed = signedByGithub({ 'x-hub-signature-256': sign('a') }, ['a']) as SignedBody;
    signed.hear(body);
    expect(signed.end(body.length + 1).distrust?.reason).toBe('wrong');
  });

  it.each([
    [{}, 'missing'],
    [{ 'x-hub-signature': 'sha1=5d61605c3feea9799210ddcb71307d4ba264225f' }, 'sha1-only'],
    [{ 'x-hub-signature-256': 'sha256=' }, 'malformed'],
    [{ 'x-hub-signature-256': sign('old-secret').toUpperCase() }, 'malformed'],
    [{ 'x-hub-signature-256': `${sign('old-secret')}0` }, 'malformed'],
    [{ 'x-hub-signature-256': `sha1=${'0'.repeat(40)}` }, 'malformed'],
  ])('%o is refused as %s', (headers, reason) => {
    expect(distrustOfGithub(body, headers, ['old-secret'])?.reason).toBe(reason);
  });

  it('is of every byte', () => {
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body);
      changed[at]! ^= 1;
      expect(distrustOfGithub(changed, { 'x-hub-signature-256': sign('old-secret') }, ['old-secret'])?.reason).toBe(
        'wrong',
      );
    }
  });
});

describe('a signature of Standard Webhooks', () => {
  // the vector of reference/alerts.md, equal to the reference package
  const headers = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  const body = Buffer.from('{"test": 2432232314}');
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const then = 1614265330_000;
  const other = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

  it('fits any of several secrets, beside others', () => {
    expect(distrustOfStandard(body, headers, [secret], then)).toBe(undefined);
    expect(distrustOfStandard(body, headers, [other, secret], then)).toBe(undefined);
    const several = {
      ...headers,
      'webhook-signature': `v1,${'A'.repeat(43)}= v1a,zzz ${headers['webhook-signature']}`,
    };
    expect(distrustOfStandard(body, several, [secret], then)).toBe(undefined);
  });

  it.each([
    ['no id', { 'webhook-id': undefined }, then, 'missing'],
    ['no signature', { 'webhook-signature': '' }, then, 'missing'],
    ['a time that is none', { 'webhook-timestamp': '1e9' }, then, 'malformed'],
    ['another scheme', { 'webhook-signature': 'v2,abc' }, then, 'malformed'],
    ['another id', { 'webhook-id': 'msg_other' }, then, 'wrong'],
    ['another time', { 'webhook-timestamp': '1614265331' }, then, 'wrong'],
    ['late', {}, then + 301_000, 'stale'],
    ['ahead', {}, then - 301_000, 'stale'],
  ])('%s is refused', (_what, changed, nowMs, reason) => {
    expect(distrustOfStandard(body, { ...headers, ...changed }, [secret], nowMs)?.reason).toBe(reason);
  });

  it('of another secret or body is refused', () => {
    expect(distrustOfStandard(body, headers, [other], then)?.reason).toBe('wrong');
    expect(distrustOfStandard(Buffer.from('{"test": 2432232315}'), headers, [secret], then)?.reason).toBe('wrong');
  });
});

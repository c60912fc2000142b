import { createHmac } from 'node:crypto';

type Signing = Readonly<{ id: string; body: string; atMs: number; secrets: readonly string[] }>;

/**
 * Headers of Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, one signature a secret; the timestamp is that
 * of this attempt. Source: reference/alerts.md §5, whose vector the spec has.
 */
export function signatureHeaders({ id, body, atMs, secrets }: Signing): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    ...(signatures.length > 0 && { 'webhook-signature': signatures.join(' ') }),
  };
}

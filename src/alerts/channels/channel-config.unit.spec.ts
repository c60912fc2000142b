import { describe, expect, it } from 'vitest';
import { readConfig, withoutSecrets } from './channel-config.js';
import type { ChannelTarget } from './channel.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

describe('what a receiver said', () => {
  it.each<[string, ChannelTarget, string, string]>([
    [
      'a token',
      { type: 'webhook', config: { url: 'https://h/x?token=abcdef', format: 'standard', bearerToken: 'to"ken' } },
      'POST /x?token=abcdef with abcdef, Bearer to"ken, as JSON "to\\"ken"',
      'POST /x?… with …, Bearer …, as JSON "…"',
    ],
    [
      'a signing secret, whole or without its prefix',
      { type: 'webhook', config: { url: 'https://h/x', format: 'standard', secret: SECRET } },
      `${SECRET} ${SECRET.slice(6)}`,
      '… …',
    ],
    [
      'the path of a Slack webhook',
      { type: 'slack', config: { url: 'https://hooks.slack.com/services/T01/B02/XyZ123' } },
      'no /services/T01/B02/XyZ123 here, nor XyZ123',
      'no … here, nor …',
    ],
    [
      'a secret that the text ends within',
      { type: 'pagerduty', config: { routingKey: '0123456789abcdef0123456789abcdef' } },
      'HTTP 400: bad key 0123456789ab',
      'HTTP 400: bad key …',
    ],
    [
      'a password of a mail server, as SMTP sends it too',
      { type: 'email', config: { to: ['a@b.c'], smtpUrl: 'smtp://me:p%40ss-word@h' } },
      `535 p@ss-word p%40ss-word ${Buffer.from('\0me\0p@ss-word').toString('base64')}`,
      '535 … … …',
    ],
    ['nothing where there is no secret', { type: 'email', config: { to: ['a@b.c'] } }, 'smtp said no', 'smtp said no'],
  ])('is shown without %s', (_, target, said, shown) => expect(withoutSecrets(said, target)).toBe(shown));
});

it('refuses an address of a mail server whose password cannot be decoded', () => {
  const { faults } = readConfig('email', { to: ['a@b.c'], smtpUrl: 'smtp://me:100%25%zz@h' });
  expect(faults.map(({ field }) => field)).toEqual(['config.smtpUrl']);
});

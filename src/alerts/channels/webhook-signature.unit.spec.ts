import { expect, it } from 'vitest';
import { signatureHeaders } from './webhook-signature.service.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const SIGNED = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', atMs: 1_614_265_330_999 };

// standard-webhooks' own vector, reference/alerts.md §5
it('signs as the reference package does', () =>
  expect(signatureHeaders({ ...message, secrets: [SECRET] })).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': SIGNED,
  }));

it('signs with both secrets while receivers change over, and not at all without one', () => {
  const both = signatureHeaders({ ...message, secrets: ['whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', SECRET] });
  expect(both['webhook-signature']?.split(' ')).toEqual([expect.stringMatching(/^v1,.{44}$/), SIGNED]);
  expect(signatureHeaders({ ...message, secrets: [] })).not.toHaveProperty('webhook-signature');
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../platform/config/index.js';
import { httpReceiver } from '../../../test/support/receivers.js';
import { HttpPost } from './http-post.service.js';
import { BlockedTarget, TargetGuard } from './target-guard.service.js';

const guard = (allowed = ''): TargetGuard => new TargetGuard(readSettings({ ALLOW_PRIVATE_TARGETS: allowed }));

describe('the guard', () => {
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.31.255.255',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
    'ff02::1',

    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b::10.0.0.1',
    '2002:7f00:1::',
    '2001:db8::1',
    '::7f00:1',
    'no address',
  ])('lets nobody reach %s', (address) => expect(guard().mayReach(address)).toBe(false));

  it.each([
    '1.1.1.1',
    '172.32.0.1',
    '8.8.8.8',
    '2606:4700:4700::1111',
    '::ffff:8.8.8.8',
    '::ffff:808:808',
    '64:ff9b::808:808',
  ])('lets %s be reached', (address) => expect(guard().mayReach(address)).toBe(true));

  it('sees an IPv4 address in every dress as it sees the address', () =>
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
        const groups = [(a << 8) | b, (c << 8) | d].map((group) => group.toString(16)).join(':');
        for (const dress of [`::ffff:${address}`, `::ffff:${groups}`, `64:ff9b::${groups}`])
          expect(guard().mayReach(dress), dress).toBe(guard().mayReach(address));
      }),
    ));

  it('makes the exceptions an operator names, and no other', () => {
    const opened = guard('10.1.0.0/16, 192.168.1.5 ,fd00::/8');
    for (const address of ['10.1.255.1', '192.168.1.5', 'fd00::5', '::ffff:10.1.0.1'])
      expect(opened.mayReach(address)).toBe(true);
    for (const address of ['10.2.0.1', '192.168.1.6', 'fc00::1']) expect(opened.mayReach(address)).toBe(false);
  });

  it('refuses a name that leads to loopback, at save and in the socket', async () => {
    await expect(guard().check('localhost')).rejects.toThrow(BlockedTarget);
    await expect(guard('127.0.0.0/8,::1').check('localhost')).resolves.toBeUndefined();
    await expect(guard().check('no-such-name.invalid')).resolves.toBeUndefined();
  });

  it.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1'])(
    'lets no request out to loopback as %s',
    async (host) => {
      const receiver = await httpReceiver();
      const { port } = new URL(receiver.url);
      const { answer } = await new HttpPost(guard()).post({ url: `http://${host}:${port}/`, body: '{}' });
      expect(answer).toMatchObject({ result: 'broken', reason: 'blocked' });
      expect(receiver.received).toEqual([]);
      await receiver.close();
    },
  );
});

describe('a post', () => {
  const post = new HttpPost(guard('127.0.0.1'));

  it.each([
    ['stall', { result: 'retry', reason: 'timeout' }],
    ['lose', { result: 'retry', reason: 'network' }],
    [
      { status: 302, headers: { location: 'http://10.0.0.1/' } },
      { result: 'broken', reason: 'redirect' },
    ],
    [
      { status: 429, headers: { 'retry-after': '7' } },
      { result: 'retry', reason: 'rate-limited', pauseMs: 7000 },
    ],
    [{ status: 503 }, { result: 'retry', reason: 'server-error', isOfChannel: true }],
    [{ status: 500 }, { result: 'retry', reason: 'server-error', isOfChannel: false }],
    [{ status: 410 }, { result: 'broken', reason: 'gone' }],
    [{ status: 403 }, { result: 'broken', reason: 'unauthorized' }],
    [{ status: 413 }, { result: 'rejected', reason: 'client-error' }],
    [
      { status: 400, text: `<b>\r\n${'x'.repeat(1_000_000)}` },
      { result: 'rejected', error: expect.toSatisfy((text: string) => text.length === 200) },
    ],
    [
      { status: 200, text: 'y'.repeat(1_000_000) },
      { result: 'sent', status: 200 },
    ],
  ] as const)('that meets %o ends so', async (reply, answer) => {
    const receiver = await httpReceiver();
    receiver.behave(() => reply);
    expect((await post.post({ url: receiver.url, body: '{}' }, 300)).answer).toMatchObject(answer);
    await receiver.close();
  });

  it('to nobody is tried again later', async () => {
    const receiver = await httpReceiver();
    await receiver.close();
    expect((await post.post({ url: receiver.url, body: '{}' })).answer).toMatchObject({
      result: 'retry',
      reason: 'network',
    });
  });
});

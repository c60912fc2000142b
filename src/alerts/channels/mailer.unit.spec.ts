import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { mailReceiver } from '../../../test/support/receivers.js';
import { readSettings } from '../../platform/config/index.js';
import { Mailer } from './mailer.service.js';
import { TargetGuard } from './target-guard.service.js';

const MAIL = { subject: 'a\r\nBcc: evil@example.com', text: 'b', messageId: '<id@tapeline>', references: [] };
const TO = { to: ['a@example.com'] };

function mailer(env: Record<string, string> = {}): Mailer {
  const settings = readSettings({ SMTP_FROM: 'from@example.com', ...env });
  return new Mailer(settings, new TargetGuard(settings));
}

describe('mail', () => {
  it('goes out with its id, and its subject is one header', async () => {
    const server = await mailReceiver();
    expect(await mailer({ SMTP_URL: server.url }).send(TO, MAIL)).toEqual({
      result: 'sent',
      reason: 'ok',
      status: 250,
    });
    expect(server.received[0]!.raw).toContain('Message-ID: <id@tapeline>');
    expect(server.received[0]!.raw).not.toMatch(/^Bcc:/m);
    await server.close();
  });

  it('logs in where the address has a user, and a wrong password breaks the channel', async () => {
    const server = await mailReceiver({ user: 'me@x', pass: 'a:b/c' });
    const at = (pass: string): string => server.url.replace('://', `://me%40x:${encodeURIComponent(pass)}@`);
    expect(await mailer({ SMTP_URL: at('a:b/c') }).send(TO, MAIL)).toMatchObject({ result: 'sent' });
    expect(await mailer({ SMTP_URL: at('wrong') }).send(TO, MAIL)).toMatchObject({
      result: 'broken',
      reason: 'unauthorized',
    });
    await server.close();
  });

  it.each([
    [451, { result: 'retry', reason: 'server-error', status: 451 }],
    [550, { result: 'rejected', reason: 'client-error', status: 550 }],
  ])('that is refused with %d ends so', async (code, answer) => {
    const server = await mailReceiver();
    server.behave(() => ({ code, message: 'no' }));
    expect(await mailer({ SMTP_URL: server.url }).send(TO, MAIL)).toMatchObject(answer);
    await server.close();
  });

  it('through a server of the channel goes only where the guard allows', async () => {
    const server = await mailReceiver();
    const config = { ...TO, smtpUrl: server.url };
    expect(await mailer().send(config, MAIL)).toMatchObject({ result: 'broken', reason: 'blocked' });
    expect(await mailer().send({ ...TO, smtpUrl: server.url.replace('127.0.0.1', 'localhost') }, MAIL)).toMatchObject({
      result: 'broken',
      reason: 'blocked',
    });
    expect(server.received).toEqual([]);
    expect(await mailer({ ALLOW_PRIVATE_TARGETS: '127.0.0.1' }).send(config, MAIL)).toMatchObject({ result: 'sent' });
    await server.close();
  });

  it('without a server or a sender says what is missing', async () => {
    expect(await mailer().send(TO, MAIL)).toMatchObject({ result: 'broken', reason: 'unconfigured' });
    expect(await mailer({ SMTP_FROM: '', SMTP_URL: 'smtp://localhost' }).send(TO, MAIL)).toMatchObject({
      error: expect.stringContaining('SMTP_FROM'),
    });
  });

  it('to a server that hangs up, or is not there, is tried again', async () => {
    const rude: Server = createServer((socket) => socket.destroy());
    rude.listen(0, '127.0.0.1');
    await once(rude, 'listening');
    const SMTP_URL = `smtp://127.0.0.1:${(rude.address() as { port: number }).port}`;
    expect(await mailer({ SMTP_URL }).send(TO, MAIL)).toMatchObject({ result: 'retry', reason: 'network' });
    rude.close();
    await once(rude, 'close');
    expect(await mailer({ SMTP_URL }).send(TO, MAIL)).toMatchObject({ result: 'retry', reason: 'network' });
  });
});

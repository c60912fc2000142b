import { createServer, type Server, Socket } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
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

  it('is tried again for a recipient that is refused for the moment, and for that one alone', async () => {
    const server = await mailReceiver();
    server.choose((address, count) =>
      address.startsWith('grey') && count < 3 ? { code: 450, message: 'greylisted' } : undefined,
    );
    const sender = mailer({ SMTP_URL: server.url });
    const to = ['a@example.com', 'grey@example.com'];
    const later = { result: 'retry', status: 450, error: expect.stringContaining('grey@example.com: 450 greylisted') };
    expect(await sender.send({ to }, MAIL)).toMatchObject(later);
    expect(await sender.send({ to }, MAIL)).toMatchObject(later);
    expect(await sender.send({ to }, MAIL)).toEqual({ result: 'sent', reason: 'ok', status: 250 });
    expect(server.received.map((mail) => mail.to)).toEqual([['a@example.com'], ['grey@example.com']]);
    for (const { raw } of server.received) expect(raw).toContain('To: a@example.com, grey@example.com');
    await server.close();
  });

  it('is sent where a recipient is refused for good, and says so', async () => {
    const server = await mailReceiver();
    server.choose((address, count) => {
      if (address.startsWith('gone')) return { code: 550, message: 'no such user' };
      return address.startsWith('grey') && count < 2 ? { code: 450, message: 'greylisted' } : undefined;
    });
    const sender = mailer({ SMTP_URL: server.url });
    const to = ['a@example.com', 'gone@example.com', 'grey@example.com'];
    expect(await sender.send({ to }, MAIL)).toMatchObject({ result: 'retry' });
    const sent = { result: 'sent', error: 'not taken for gone@example.com: 550 no such user' };
    expect(await sender.send({ to }, MAIL)).toMatchObject(sent);
    expect(await sender.send({ to: to.slice(0, 2) }, { ...MAIL, messageId: '<other@tapeline>' })).toMatchObject(sent);
    expect(await sender.send({ to: ['gone@example.com'] }, MAIL)).toMatchObject({ result: 'rejected', status: 550 });
    await server.close();
  });

  it('never sends a login in the clear, but on this machine', async () => {
    const server = await mailReceiver({ user: 'me', pass: 'secret' });
    const sender = mailer({ SMTP_URL: server.url.replace('://', '://me:secret@') });
    expect(await sender.send(TO, MAIL)).toMatchObject({ result: 'sent' });
    const connect = Socket.prototype.connect as (...options: unknown[]) => Socket;
    const elsewhere = vi.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...options) {
      Object.defineProperty(this, 'remoteAddress', { value: '10.1.2.3' });
      return connect.apply(this, options);
    });
    expect(await sender.send(TO, MAIL)).toMatchObject({
      result: 'broken',
      reason: 'unconfigured',
      error: expect.stringContaining('a login goes out encrypted only'),
    });
    elsewhere.mockRestore();
    expect(server.received).toHaveLength(1);
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

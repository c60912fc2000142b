import { connect, type Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import { createTransport } from 'nodemailer';
import { Settings } from '../../platform/config/index.js';
import { type Answer, answerOfSmtp, failed, shortened } from './answer.js';
import type { EmailConfig } from './channel.js';
import type { Mail } from './formats/mail.js';
import { BlockedTarget, TargetGuard } from './target-guard.service.js';

const CONNECT_MS = 10_000;
const IDLE_MS = 15_000;
const ALL_MS = 40_000;

/** Sends mail by SMTP: over SMTP_URL, or a server of the channel's own, which the guard has to allow. */
@Injectable()
export class Mailer {
  constructor(
    private readonly settings: Settings,
    private readonly guard: TargetGuard,
  ) {}

  /** Never throws. */
  async send(config: EmailConfig, mail: Mail): Promise<Answer> {
    const from = config.from ?? this.settings.SMTP_FROM;
    const url = config.smtpUrl ?? this.settings.SMTP_URL;
    if (url === undefined)
      return failed('broken', 'unconfigured', 'there is no mail server: set SMTP_URL, or smtpUrl of the channel');
    if (from === undefined)
      return failed('broken', 'unconfigured', 'mails have no sender: set SMTP_FROM, or from of the channel');
    try {
      return await this.deliver(new URL(url), config, { ...mail, from });
    } catch (error) {
      if (error instanceof BlockedTarget) return failed('broken', 'blocked', error.message);
      return answerOfSmtp(error as Error);
    }
  }

  private async deliver(url: URL, config: EmailConfig, mail: Mail & { from: string }): Promise<Answer> {
    const isTls = url.protocol === 'smtps:';
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    const port = url.port === '' ? (isTls ? 465 : 587) : Number(url.port);
    const connection = await this.connected(host, port, config.smtpUrl !== undefined);
    const transport = createTransport({
      host,
      port,
      connection,
      secure: isTls,
      ...(url.username !== '' && {
        auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
      }),
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: IDLE_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    const late = setTimeout(() => connection.destroy(new Error(`timeout: not done within ${ALL_MS / 1000} s`)), ALL_MS);
    try {
      const sent = await transport.sendMail({ ...mail, to: [...config.to] });
      const refused = sent.rejected.map(String);
      if (refused.length === 0) return { result: 'sent', reason: 'ok', status: 250 };
      return { result: 'sent', reason: 'ok', status: 250, error: shortened(`not taken for ${refused.join(', ')}`) };
    } finally {
      clearTimeout(late);
      transport.close();
      connection.destroy();
    }
  }

  /** The operator's own server may stand anywhere. */
  private async connected(host: string, port: number, isGuarded: boolean): Promise<Socket> {
    if (isGuarded) this.guard.checkLiteral(host);
    const socket = connect({ host, port, ...(isGuarded && { lookup: this.guard.lookup }) });
    socket.on('error', () => undefined); // whoever uses it hears of it; between two of them nobody would
    socket.setTimeout(CONNECT_MS, () =>
      socket.destroy(new Error(`timeout: no connection within ${CONNECT_MS / 1000} s`)),
    );
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.setTimeout(0).removeAllListeners('timeout');
    return socket;
  }
}

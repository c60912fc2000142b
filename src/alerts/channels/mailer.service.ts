import { connect, type Socket } from 'node:net';
import { Injectable } from '@nestjs/common';
import { createTransport, type NodemailerError } from 'nodemailer';
import { Settings } from '../../platform/config/index.js';
import { type Answer, answerOfSmtp, failed, shortened } from './answer.js';
import type { EmailConfig } from './channel.js';
import type { Mail } from './formats/mail.js';
import { BlockedTarget, TargetGuard } from './target-guard.service.js';

const CONNECT_MS = 10_000;
const IDLE_MS = 15_000;
const ALL_MS = 40_000;
/** Mails that only some of their recipients were taken for, and are tried again for the others. */
const MOST_PARTLY_TAKEN = 1000;

/** Sends mail by SMTP: over SMTP_URL, or a server of the channel's own, which the guard has to allow. */
@Injectable()
export class Mailer {
  /** For whom a mail was taken already, by its id: should this be forgotten, they get it once more. */
  private readonly taken = new Map<string, readonly string[]>();

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
        requireTLS: !isTls && !isLoopback(connection.remoteAddress),
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
      const had = this.taken.get(mail.messageId) ?? [];
      const to = config.to.filter((address) => !had.includes(address));
      if (to.length === 0) return this.answerOf(mail.messageId, had, []);
      const sent = await transport
        .sendMail({ ...mail, to: [...config.to], envelope: { from: mail.from, to } })
        .catch((error: NodemailerError) => {
          // it is taken for others, so it is not refused as such
          if (had.length === 0 || !error.rejectedErrors) throw error;
          return { accepted: [], rejectedErrors: error.rejectedErrors };
        });
      return this.answerOf(mail.messageId, [...had, ...sent.accepted], sent.rejectedErrors ?? []);
    } finally {
      clearTimeout(late);
      transport.close();
      connection.destroy();
    }
  }

  /** It is tried again for those that are refused for the moment; who is refused for good is told beside the others. */
  private answerOf(id: string, taken: readonly string[], refused: readonly NodemailerError[]): Answer {
    this.taken.delete(id);
    if (refused.length === 0) return { result: 'sent', reason: 'ok', status: 250 };
    const told = refused.map(({ recipient, response, message }) => `${recipient}: ${response ?? message}`).join('; ');
    const error = shortened(`not taken for ${told}`);
    const later = refused.find(({ responseCode = 500 }) => responseCode < 500);
    if (!later) return { result: 'sent', reason: 'ok', status: 250, error };
    this.taken.set(id, taken);
    for (const oldest of this.taken.keys()) if (this.taken.size > MOST_PARTLY_TAKEN) this.taken.delete(oldest);
    return { result: 'retry', reason: 'server-error', status: later.responseCode!, error };
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

const isLoopback = (address = ''): boolean => address === '::1' || /^(::ffff:)?127\./.test(address);

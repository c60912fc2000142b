import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';

export type Received = Readonly<{ path: string; headers: IncomingHttpHeaders; text: string; body: any }>; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came

/** What a receiver does with a request: answers, loses the connection before or after it took it, or never answers. */
export type Reply =
  Readonly<{ status: number; headers?: Readonly<Record<string, string>>; text?: string }> | 'lose' | 'stall';

export type HttpReceiver = Readonly<{
  url: string;
  /** Everything that came, whatever was replied. */
  received: Received[];
  /** Decides each reply; 200 and `ok` unless a test says otherwise. */
  behave(reply: (received: Received, count: number) => Reply): void;
  close(): Promise<void>;
}>;

/** A receiver of notifications over HTTP, on loopback, that fails as it is told to. */
export async function httpReceiver(): Promise<HttpReceiver> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let reply: (one: Received, count: number) => Reply = () => ({ status: 200, text: 'ok' });
  const server: Server = createServer((request, response) => {
    void text(request).then(
      (body) => {
        const one = { path: request.url ?? '', headers: request.headers, text: body, body: jsonOf(body) };
        received.push(one);
        carryOut(reply(one, received.length), response, request.socket);
      },
      () => undefined,
    );
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    behave: (next) => {
      reply = next;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function carryOut(reply: Reply, response: ServerResponse, socket: Socket): void {
  if (reply === 'stall') return;
  if (reply === 'lose') return void socket.resetAndDestroy();
  response.writeHead(reply.status, reply.headers).end(reply.text ?? '');
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** What a mail server does with a mail that is none: it refuses it, or loses the connection without an answer. */
export type MailRefusal = Readonly<{ code: number; message: string }> | 'lose';

export type MailReceiver = Readonly<{
  url: string;
  /** Mails that it took, headers and all. */
  received: { to: string[]; raw: string }[];
  /** What becomes of a mail, by how many came so far and its text: undefined takes it. */
  behave(refuse: (count: number, raw: string) => MailRefusal | undefined): void;
  /** What becomes of a recipient, by how often it was asked for: undefined takes it. */
  choose(refuse: (address: string, count: number) => Exclude<MailRefusal, 'lose'> | undefined): void;
  close(): Promise<void>;
}>;

/** A mail server on loopback that takes everything, unless a test says otherwise. */
export async function mailReceiver(options: { user?: string; pass?: string } = {}): Promise<MailReceiver> {
  const received: { to: string[]; raw: string }[] = [];
  let attempts = 0;
  let refuse: (count: number, raw: string) => MailRefusal | undefined = () => undefined;
  let choose: Parameters<MailReceiver['choose']>[0] = () => undefined;
  const asked = new Map<string, number>();
  const sockets = new Map<number | undefined, Socket>();
  const server = new SMTPServer({
    disabledCommands: options.user === undefined ? ['AUTH', 'STARTTLS'] : ['STARTTLS'],
    authOptional: options.user === undefined,
    allowInsecureAuth: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      username === options.user && password === options.pass
        ? done(null, { user: username })
        : done(Object.assign(new Error('Invalid login'), { responseCode: 535 })),
    onRcptTo: ({ address }, _session, done) => {
      const count = (asked.get(address) ?? 0) + 1;
      asked.set(address, count);
      const refused = choose(address, count);
      done(refused && Object.assign(new Error(refused.message), { responseCode: refused.code }));
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString();
        const refused = refuse(++attempts, raw);
        if (refused === 'lose') return void sockets.get(session.remotePort)?.resetAndDestroy();
        if (refused) return done(Object.assign(new Error(refused.message), { responseCode: refused.code }));
        received.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  server.server.on('connection', (socket: Socket) => {
    const { remotePort } = socket;
    sockets.set(remotePort, socket);
    socket.on('close', () => sockets.delete(remotePort));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    received,
    behave: (next) => {
      refuse = next;
    },
    choose: (next) => {
      choose = next;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

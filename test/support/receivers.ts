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

export type MailReceiver = Readonly<{
  url: string;
  /** Mails as they came, headers and all. */
  received: { to: string[]; raw: string }[];
  /** What is answered to the data of a mail: nothing takes it. */
  behave(refuse: (count: number) => Readonly<{ code: number; message: string }> | undefined): void;
  close(): Promise<void>;
}>;

/** A mail server on loopback that takes everything, unless a test says otherwise. */
export async function mailReceiver(options: { user?: string; pass?: string } = {}): Promise<MailReceiver> {
  const received: { to: string[]; raw: string }[] = [];
  let attempts = 0;
  let refuse: (count: number) => { code: number; message: string } | undefined = () => undefined;
  const server = new SMTPServer({
    disabledCommands: options.user === undefined ? ['AUTH', 'STARTTLS'] : ['STARTTLS'],
    authOptional: options.user === undefined,
    allowInsecureAuth: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      username === options.user && password === options.pass
        ? done(null, { user: username })
        : done(Object.assign(new Error('Invalid login'), { responseCode: 535 })),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const refused = refuse(++attempts);
        if (refused) return done(Object.assign(new Error(refused.message), { responseCode: refused.code }));
        const raw = Buffer.concat(chunks).toString();
        received.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    received,
    behave: (next) => {
      refuse = next;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

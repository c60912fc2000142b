import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

type Handshake = 'accept' | 'accept and close' | 'refuse' | 'hold';

/** A venue on loopback that does what a spec tells it, and keeps when it was tried and what it heard. */
export class ScriptedVenue {
  handshake: Handshake = 'accept';
  answersPings = true;
  /** What happens on an accepted socket. */
  welcome: (socket: WebSocket) => void = () => undefined;
  /** REST: answers 404 unless a spec says otherwise. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    void response.writeHead(404).end('{}');
  readonly attemptsMs: number[] = [];
  readonly heard: Readonly<{ atMs: number; text: string }>[] = [];
  /** `open 1`, `close 1`, in the order of what happened. */
  readonly log: string[] = [];
  private readonly accepted: WebSocket[] = [];
  private readonly held: { stream: Duplex; accept: () => void }[] = [];
  private readonly sockets = new WebSocketServer({ noServer: true, autoPong: false });
  private readonly streams = new Set<Duplex>();

  private constructor(private readonly http: Server) {
    http.on('request', (request, response) => this.answer(request, response));
    http.on('upgrade', (request, stream, head) => this.onUpgrade(request, stream, head));
    http.on('connection', (stream) => {
      this.streams.add(stream);
      stream.on('close', () => this.streams.delete(stream));
    });
  }

  static async start(): Promise<ScriptedVenue> {
    const venue = new ScriptedVenue(createServer());
    venue.http.listen(0, '127.0.0.1');
    await once(venue.http, 'listening');
    return venue;
  }

  get wsUrl(): string {
    return `ws://${this.host}`;
  }

  get restUrl(): string {
    return `http://${this.host}`;
  }

  /** Sockets that are open, the oldest first. */
  get open(): WebSocket[] {
    return this.accepted.filter(({ readyState }) => readyState === WebSocket.OPEN);
  }

  /** TCP connections, handshakes that are held among them. */
  get connected(): number {
    return this.streams.size;
  }

  send(text: string, to: readonly WebSocket[] = this.open): void {
    for (const socket of to) socket.send(text);
  }

  /** Goes on with the handshakes that were held. */
  release(): void {
    for (const { accept } of this.held.splice(0)) accept();
  }

  /** Cuts the handshakes that were held. */
  cut(): void {
    for (const { stream } of this.held.splice(0)) stream.destroy();
  }

  /** Reads nothing any more, not even that a client goes. */
  deafen(): void {
    for (const stream of this.streams) stream.pause();
  }

  async close(): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    this.http.close();
    await once(this.http, 'close');
  }

  private get host(): string {
    return `127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  private onUpgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    this.attemptsMs.push(Date.now());
    stream.on('error', () => undefined);
    const accept = (): void => this.sockets.handleUpgrade(request, stream, head, (socket) => this.onAccepted(socket));
    if (this.handshake === 'refuse') stream.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
    else if (this.handshake === 'hold') {
      this.held.push({ stream, accept });
      stream.resume().on('end', () => stream.end()); // else the client's going is not noticed
    } else accept();
  }

  private onAccepted(socket: WebSocket): void {
    const name = this.accepted.push(socket);
    this.log.push(`open ${name}`);
    socket.on('close', () => this.log.push(`close ${name}`));
    socket.on('error', () => undefined);
    socket.on('ping', (data) => this.answersPings && socket.pong(data));
    socket.on('message', (data: RawData) => this.heard.push({ atMs: Date.now(), text: (data as Buffer).toString() }));
    if (this.handshake === 'accept and close') socket.close(1013, 'try again later');
    else this.welcome(socket);
  }
}

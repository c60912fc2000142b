import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/**
 * A venue that does nothing but send trades of the symbols named to it, in turn, in Binance's frames, as cheaply as it
 * can, in a process of its own (forked by load.ts). Tells its parent `{port}`, `{isRead}` when it is connected to and, every
 * 100 ms, `{sent}`; obeys `{rate}` (trades/s) or `{upTo}` (a total, for a closed loop). Trade time is the time of sending,
 * in microseconds; but with `{history}` the first trades are one a minute of each symbol, of so many minutes until then.
 */
const SYMBOLS = process.argv.slice(2);
const TICK_MS = 2;
/** Most of one write, so that a closed loop does not hand over seconds of load at once. */
const BURST = 4000;
const MINUTE_US = 60_000_000;
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;
/** Without its list of symbols a venue is waited for: that would fall into what is measured. */
const PRODUCTS = JSON.stringify({ symbols: SYMBOLS.map((symbol) => ({ symbol, status: 'TRADING' })) });

const http = createServer((request, response) => response.end(request.url!.includes('exchangeInfo') ? PRODUCTS : '[]'));
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
const sockets = new Set<Socket>();
server.on('connection', (_socket, request) => {
  sockets.add(request.socket);
  process.send!({ isRead: true });
  request.socket.on('close', () => sockets.delete(request.socket));
  request.socket.setNoDelay(true);
});

let rate = 0;
let upTo = 0;
let sent = 0;
let owed = 0;
let history = { trades: 0, fromUs: 0 };
let lastMs = performance.now();
// above all that an earlier run over the same database can have used
const firstId = Math.floor(Date.now() / 10) * 10;

process.on('message', (order: { rate?: number; upTo?: number; history?: number }) => {
  if (order.rate !== undefined) rate = order.rate;
  if (order.upTo !== undefined) upTo = order.upTo;
  if (order.history !== undefined)
    history = {
      trades: order.history * SYMBOLS.length,
      fromUs: (Math.floor(Date.now() / 60_000) - order.history) * MINUTE_US,
    };
});
process.on('disconnect', () => process.exit(0));
setInterval(tick, TICK_MS);
setInterval(() => process.send!({ sent }), 100);
http.listen(0, '127.0.0.1', () => process.send!({ port: (http.address() as { port: number }).port }));

function tick(): void {
  const now = performance.now();
  const [socket] = sockets;
  owed = socket ? Math.min(owed + (rate * (now - lastMs)) / 1000, rate) : 0; // who is not there is owed nothing
  lastMs = now;
  if (!socket || socket.writableLength > MAX_BUFFERED_BYTES) return;
  const due = Math.min(BURST, rate > 0 ? Math.floor(owed) : upTo - sent);
  if (due <= 0) return;
  owed -= due;
  socket.write(frames(due), 'latin1');
}

function frames(count: number): string {
  const nowUs = Math.round((performance.timeOrigin + performance.now()) * 1000);
  let text = '';
  for (let i = 0; i < count; i++, sent++) {
    const index = sent % SYMBOLS.length;
    const symbol = SYMBOLS[index]!;
    const noise = (sent * 2654435761) >>> 0;
    const us = sent < history.trades ? history.fromUs + Math.floor(sent / SYMBOLS.length) * MINUTE_US : nowUs;
    const price = `${100 * (index + 1) + (noise % 400)}.${String(noise % 97).padStart(2, '0')}000000`;
    const size = `0.${String(1 + (noise % 99_999)).padStart(5, '0')}000`;
    const id = firstId + Math.floor(sent / SYMBOLS.length);
    const frame = `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${us},"s":"${symbol}","t":${id},"p":"${price}","q":"${size}","T":${us},"m":${(noise & 1) === 0},"M":true}}`;
    text += `\x81\x7e${String.fromCharCode(frame.length >> 8, frame.length & 255)}${frame}`;
  }
  return text;
}

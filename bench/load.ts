import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const TEN = ['BTC', 'ETH', 'ADA', 'SOL', 'DOT', 'LINK', 'UNI', 'AVAX', 'MATIC', 'ATOM'];

/** The load server of load-server.ts, in a process of its own. */
export class Load {
  sent = 0;
  private isRead = false;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    readonly symbols: readonly string[],
  ) {
    child.on('message', (said: { sent?: number; isRead?: boolean }) => {
      if (said.sent !== undefined) this.sent = said.sent;
      if (said.isRead) this.isRead = true;
    });
  }

  static async start(symbolCount = 10): Promise<Load> {
    const symbols = Array.from({ length: symbolCount }, (_, index) => `${TEN[index] ?? `COIN${index}`}USDT`);
    const child = fork(join(import.meta.dirname, 'load-server.js'), symbols);
    const [said] = (await once(child, 'message')) as [{ port: number }];
    return new Load(child, said.port, symbols);
  }

  /** What the application needs to read it. */
  get env(): Record<string, string> {
    return {
      FEEDS: 'binance',
      BINANCE_SYMBOLS: this.symbols.join(','),
      BINANCE_WS_URL: `ws://127.0.0.1:${this.port}`,
      BINANCE_REST_URL: `http://127.0.0.1:${this.port}`,
    };
  }

  /** Resolves once the application reads it: what comes before would be measured as part of the load. */
  async whenRead(): Promise<void> {
    while (!this.isRead) await once(this.child, 'message');
  }

  /** The first trades are those of so many minutes before now; to be said before any is sent. */
  withHistory(minutes: number): void {
    this.child.send({ history: minutes });
  }

  atRate(tradesPerSecond: number): void {
    this.child.send({ rate: tradesPerSecond });
  }

  upTo(total: number): void {
    this.child.send({ upTo: total });
  }

  stop(): void {
    this.child.kill();
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const LOAD_SYMBOLS = 'BTCUSDT,ETHUSDT,ADAUSDT,SOLUSDT,DOTUSDT,LINKUSDT,UNIUSDT,AVAXUSDT,MATICUSDT,ATOMUSDT';

/** The load server of load-server.ts, in a process of its own. */
export class Load {
  sent = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {
    child.on('message', (said: { sent?: number }) => {
      if (said.sent !== undefined) this.sent = said.sent;
    });
  }

  static async start(): Promise<Load> {
    const child = fork(join(import.meta.dirname, 'load-server.js'));
    const [said] = (await once(child, 'message')) as [{ port: number }];
    return new Load(child, said.port);
  }

  /** What the application needs to read it. */
  get env(): Record<string, string> {
    return {
      FEEDS: 'binance',
      BINANCE_SYMBOLS: LOAD_SYMBOLS,
      BINANCE_WS_URL: `ws://127.0.0.1:${this.port}`,
      BINANCE_REST_URL: `http://127.0.0.1:${this.port}`,
    };
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

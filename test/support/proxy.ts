import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Connection } from '../../src/platform/database/index.js';

/** A TCP door to a PostgreSQL on a unix socket that can be shut: connections are cut and refused until it opens again. */
export class DatabaseDoor {
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private port = 0;

  constructor(private readonly target: Connection) {}

  /** Where a client connects, once the door was opened for the first time. */
  get connection(): Connection {
    return { ...this.target, host: '127.0.0.1', port: this.port };
  }

  async open(): Promise<void> {
    this.server = createServer((client) => {
      const server = connect(join(this.target.host, `.s.PGSQL.${this.target.port}`));
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.sockets.delete(from);
          to.destroy();
        });
      }
    });
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as { port: number }).port;
  }

  async shut(): Promise<void> {
    const closed = once(this.server!, 'close');
    this.server!.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pino from 'pino';
import { createApp } from '../../src/create-app.js';
import { readSettings } from '../../src/platform/config/index.js';
import type { Connection } from '../../src/platform/database/index.js';

export type RunningApp = Readonly<{
  app: NestFastifyApplication;
  url: string;
  /** GET as JSON, whatever the status. */
  get(path: string): Promise<{ status: number; body: any }>; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
  /** POST of a body as JSON, or of a text as if it were some; the answer as JSON, whatever the status. */
  post(path: string, body: unknown): Promise<{ status: number; location: string | null; body: any }>; // oxlint-disable-line typescript/no-explicit-any -- a test reads what came
  close(): Promise<void>;
}>;

/** The whole application in this process, on a free port, over a test database. */
export async function startApp(connection: Connection, env: Record<string, string>): Promise<RunningApp> {
  const level = process.env.TEST_LOG ?? 'silent';
  const app = await createApp(readSettings({ PORT: '0', ...env }), pino({ level }), connection);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  const url = `http://127.0.0.1:${port}`;
  return {
    app,
    url,
    get: async (path) => {
      const response = await fetch(url + path);
      return { status: response.status, body: await response.json() };
    },
    post: async (path, body) => {
      const response = await fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: response.status, location: response.headers.get('location'), body: await response.json() };
    },
    close: () => app.close(),
  };
}

import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger as NestPinoLogger } from 'nestjs-pino';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import type { Settings } from './platform/config/index.js';
import type { Connection } from './platform/database/index.js';
import {
  answerFrameworkError,
  ProblemFilter,
  refuseForeignPages,
  serveOpenApi,
  serveRawBodies,
  validationPipe,
} from './platform/http/index.js';
import { correlationIdOf } from './platform/observability/index.js';
import { VERSION } from './version.js';

const BODY_LIMIT_BYTES = 1024 * 1024;

/** The whole application, not yet listening. */
export async function createApp(
  settings: Settings,
  logger: Logger,
  embedded?: Connection,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: correlationIdOf,
    frameworkErrors: answerFrameworkError,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.for(settings, logger, embedded), adapter, {
    bufferLogs: true,
    abortOnError: false,
    forceCloseConnections: true,
    bodyParser: false,
  });
  // a page of another origin can send texts and forms without asking first, but not JSON
  adapter.getInstance().removeContentTypeParser('text/plain');
  refuseForeignPages(adapter.getInstance());
  serveRawBodies(adapter.getInstance(), (gate) => app.get(gate, { strict: false }));
  // a route that takes files reads their body itself, as it comes; on every other one it is of no type that is taken
  adapter.getInstance().addContentTypeParser('multipart/form-data', (request, _body, done) => {
    const { multipart } = request.routeOptions.config as { multipart?: boolean };
    done(multipart === true ? null : Object.assign(new Error('This route takes no files'), { statusCode: 415 }));
  });
  app.useLogger(app.get(NestPinoLogger));
  app.useGlobalPipes(validationPipe());
  app.useGlobalFilters(new ProblemFilter());
  adapter.getInstance().addHook('onSend', (request, reply, _payload, done) => {
    void reply.header('x-correlation-id', request.id).header('x-content-type-options', 'nosniff');
    done();
  });
  serveOpenApi(app, VERSION);
  return app;
}

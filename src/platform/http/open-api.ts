import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { Problem } from './problem.js';

export function openApiDocument(app: INestApplication, version: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Tapeline')
    .setDescription(
      'Market data as recorded: decimals are strings, instants RFC 3339 in UTC with up to six decimals. ' +
        'Errors are RFC 9457 problems with a `code`. Live updates: `GET /stream` (SSE) and the WebSocket paths `/ws`, ' +
        '`/ws/price/{symbol}`, `/ws/ohlcv/{symbol}`.',
    )
    .setVersion(version)
    .build();
  return SwaggerModule.createDocument(app, config, { extraModels: [Problem] });
}

/** Swagger UI at /docs, the document at /docs-json. */
export function serveOpenApi(app: INestApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app, version), {
    jsonDocumentUrl: 'docs-json',
    yamlDocumentUrl: 'docs-yaml',
  });
}

import type { IncomingMessage } from 'node:http';
import { Controller, Post, Query, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBody, ApiConsumes, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import { fileBody } from '../contracts/index.js';
import { ApiProblems } from '../platform/http/index.js';
import { dataOf } from './file.js';
import { FileBody, UploadQuery } from './files.dto.js';
import { FORMATS } from './formats/registry.js';
import { lingerOver } from './receiving/request-body.service.js';
import { Uploads } from './uploads.service.js';

/** As much of the HTTP answer as is needed here. */
type Answer = Readonly<{ status(code: number): Answer; header(name: string, value: string): Answer }>;

const text = { type: 'string' as const };
/** The fields stand before the file, so that a form shows them in that order; they are taken in any. */
const BODY = {
  type: 'object' as const,
  required: ['file'],
  properties: {
    format: { ...text, enum: FORMATS.map(({ name }) => name) },
    timezone: { ...text, example: '+02:00' },
    year: { type: 'integer' as const },
    charset: { ...text, example: 'utf-8' },
    symbol: { ...text, example: 'BTCUSDT' },
    source: text,
    force: { ...text, enum: ['true', 'false'] },
    file: { ...text, format: 'binary' },
  },
};

@ApiTags('files')
@Controller()
export class UploadController {
  constructor(private readonly uploads: Uploads) {}

  @Post('upload')
  @RouteConfig({ multipart: true })
  @ApiOperation({
    summary: 'Upload a file of log lines or trades, as it is or packed with gzip or zstd',
    description:
      'Answered once it lies whole on disk; it is read afterwards, told by `GET /api/v1/files/{id}` and live by type `file`. ' +
      'The same content again is not read again, unless `force` says so. What is said of it may stand in the address or in fields of the body.',
  })
  @ApiConsumes('multipart/form-data')
  @ApiBody({ schema: BODY })
  @ApiAcceptedResponse({ type: FileBody, description: 'It will be read' })
  @ApiOkResponse({ type: FileBody, description: 'The same content came before: that file, and what became of it' })
  @ApiProblems(
    'request.bad-parameter',
    'uploads.malformed',
    'uploads.no-file',
    'uploads.too-many-parts',
    'http.foreign-origin',
    'uploads.aborted',
    'uploads.stalled',
    'uploads.too-large',
    'uploads.unpacks-too-far',
    'http.unsupported-media-type',
    'uploads.unsupported-archive',
    'uploads.busy',
    'uploads.no-room',
    'database.unavailable',
  )
  async upload(
    @Query() query: UploadQuery,
    @Req() { raw }: { raw: IncomingMessage },
    @Res({ passthrough: true }) answer: Answer,
  ): Promise<FileBody> {
    try {
      const { file, isDuplicate } = await this.uploads.receive(raw, query);
      answer.status(isDuplicate ? 200 : 202).header('location', `/api/v1/files/${file.id}`);
      return fileBody({ ...dataOf(file), ...(isDuplicate ? { duplicateOf: file.id } : {}) });
    } finally {
      lingerOver(raw);
    }
  }
}

import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { fileBody } from '../contracts/index.js';
import { AppError, badParameter } from '../platform/errors/index.js';
import { API, ApiProblems, decodeCursor, encodeCursor, NoQuery } from '../platform/http/index.js';
import { dataOf, type UploadedFile } from './file.js';
import { FileStore } from './file.store.js';
import { FileDetailBody, FilesBody, FilesQuery } from './files.dto.js';
import { Uploads } from './uploads.service.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

@ApiTags('files')
@Controller(`${API}/files`)
export class FilesController {
  constructor(
    private readonly store: FileStore,
    private readonly uploads: Uploads,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Uploaded files, newest first' })
  @ApiOkResponse({ type: FilesBody })
  @ApiProblems('request.bad-parameter', 'database.unavailable')
  async list(@Query() { status, limit, cursor }: FilesQuery): Promise<FilesBody> {
    const files = await this.store.page({ status, beforeSeq: cursor && seqOf(cursor) }, limit + 1);
    const items = files.slice(0, limit);
    return {
      items: items.map((file) => fileBody(dataOf(file))),
      nextCursor: files.length > limit ? encodeCursor([items.at(-1)!.seq]) : null,
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One file: how far it is read, and what came of it' })
  @ApiOkResponse({ type: FileDetailBody })
  @ApiProblems('request.bad-parameter', 'uploads.unknown', 'database.unavailable')
  async one(@Param('id') id: string, @Query() _query: NoQuery): Promise<FileDetailBody> {
    const file = await this.find(id);
    return { ...fileBody(dataOf(file)), unpackedSha256: file.unpackedSha256, stored: file.isStored };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Stop reading a file and delete its bytes',
    description:
      'What was recorded of it stays: log events, trades, dead letters, and its row here. One that was not read to its end is `failed` from then on.',
  })
  @ApiNoContentResponse()
  @ApiProblems('request.bad-parameter', 'uploads.unknown', 'database.unavailable')
  async remove(@Param('id') id: string, @Query() _query: NoQuery): Promise<void> {
    await this.uploads.remove(await this.find(id));
  }

  private async find(id: string): Promise<UploadedFile> {
    const file = UUID.test(id) ? await this.store.one(id) : undefined;
    if (!file) throw new AppError('uploads.unknown', `${id.slice(0, 60)} is no id of a file`);
    return file;
  }
}

function seqOf(cursor: string): string {
  const [seq] = decodeCursor(cursor, 1);
  if (!/^[1-9]\d{0,17}$/.test(String(seq))) throw badParameter('cursor', 'must be the nextCursor of an earlier answer');
  return String(seq);
}

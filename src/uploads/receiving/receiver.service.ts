import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import { Settings } from '../../platform/config/index.js';
import { AppError, isTransientDatabaseError } from '../../platform/errors/index.js';
import { labelOf } from '../file.js';
import { UploadFolder } from '../upload-folder.service.js';
import { chunksOf } from './request-body.service.js';
import { type Stored, storeFile } from './stored-file.service.js';

/** What came: a file that lies whole on disk, and what was said of it. */
export type Received = Stored & Readonly<{ id: string; name: string; fields: ReadonlyMap<string, string> }>;

const FIELDS = 16;
const FIELD_BYTES = 1024;
/** Of the parts that are no file, boundaries and headers: what a body may have on top of its file. */
const ENVELOPE_BYTES = 64 * 1024;
const LIMITS = {
  files: 1,
  fields: FIELDS,
  parts: FIELDS + 1,
  fieldSize: FIELD_BYTES,
  headerPairs: 20,
  headerSize: 8192,
};

/** Takes multipart bodies: the file to disk as it comes, its fields into memory. */
@Injectable()
export class Receiver {
  private busy = 0;
  /** Files that are being written, and have no row yet. */
  readonly writing = new Set<string>();

  constructor(
    private readonly folder: UploadFolder,
    private readonly settings: Settings,
  ) {}

  /**
   * Hands what came to `keep`, and answers with what that says. The stored bytes stay when `keep` says so with `true`;
   * in every other case nothing of them does, at the latest after the next sweep.
   */
  async receive<Answer>(
    request: IncomingMessage,
    keep: (received: Received) => Promise<readonly [answer: Answer, isKept: boolean]>,
  ): Promise<Answer> {
    this.refuseAtOnce(request);
    const id = randomUUID();
    this.busy++;
    this.writing.add(id);
    let isKept = false;
    try {
      const received = await this.store(id, request);
      try {
        const [answer, isKeeping] = await keep(received);
        isKept = isKeeping;
        return answer;
      } catch (error) {
        isKept = isTransientDatabaseError(error); // its row may be there all the same: the sweep sees
        throw error;
      }
    } finally {
      if (!isKept) await this.folder.remove(id);
      this.writing.delete(id);
      this.busy--;
    }
  }

  /** What the headers alone tell. */
  private refuseAtOnce({ headers }: IncomingMessage): void {
    if (!/^multipart\/form-data\s*(;|$)/i.test(headers['content-type'] ?? ''))
      throw new AppError(
        'http.unsupported-media-type',
        'a file is sent as multipart/form-data, such as curl -F file=@app.log does',
      );
    const { UPLOAD_MAX_BYTES: most, UPLOAD_CONCURRENT: places } = this.settings;
    const length = Number(headers['content-length'] ?? 0);
    if (length > most + ENVELOPE_BYTES) throw tooLarge(most, `${length} bytes`);
    if (this.busy >= places)
      throw new AppError('uploads.busy', `${places} uploads are taken at once (UPLOAD_CONCURRENT)`);
  }

  private async store(id: string, request: IncomingMessage): Promise<Received> {
    const { UPLOAD_MAX_BYTES: most, UPLOAD_MAX_UNPACKED_BYTES: mostUnpacked } = this.settings;
    const { UPLOAD_STALL: stallMs, UPLOAD_MAX_TIME: mostMs } = this.settings;
    const fields = new Map<string, string>();
    let file: Promise<Stored & { name: string }> | undefined;
    let source: Readable | undefined;
    let failure: unknown;
    const busboy = busboyOf(request, most);
    const target = await this.folder.create(id, Number(request.headers['content-length'] ?? 0));
    let wake = (): void => undefined;
    busboy.on('drain', () => wake());
    const failed = new Promise<never>((_, reject) => {
      const fail = (error: unknown): void => {
        reject((failure ??= error));
        wake();
      };
      busboy.on('error', (error) => fail(new AppError('uploads.malformed', messageOf(error))));
      busboy.on('partsLimit', () => fail(tooManyParts()));
      busboy.on('fieldsLimit', () => fail(tooManyParts()));
      busboy.on('filesLimit', () => fail(tooManyParts()));
      busboy.on('field', (name, value, _isNameCut, isCut) => {
        if (isCut) fail(new AppError('uploads.malformed', `a field is longer than ${FIELD_BYTES} bytes`));
        else if (fields.has(name)) fail(new AppError('uploads.malformed', 'a field is given twice'));
        else fields.set(name, value);
      });
      busboy.on('file', (_field, stream, fileName) => {
        source = stream;
        stream.on('limit', () => fail(tooLarge(most, 'more')));
        file = storeFile(stream, target, this.folder, mostUnpacked).then((stored) => ({
          ...stored,
          name: labelOf(fileName),
        }));
        file.catch(fail);
      });
    });
    failed.catch(() => undefined);
    const finished = once(busboy, 'finish');
    finished.catch(() => undefined);
    try {
      let received = 0;
      for await (const chunk of chunksOf(request, { stallMs, mostMs })) {
        if (failure !== undefined) break;
        received += chunk.length;
        if (received > most + ENVELOPE_BYTES) throw tooLarge(most, 'more');
        if (!busboy.write(chunk) && failure === undefined)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        if (failure !== undefined) break;
      }
      busboy.end();
      await Promise.race([failed, finished]);
      if (!file) throw new AppError('uploads.no-file', 'one part must be a file, named file');
      const stored = await Promise.race([failed, file]);
      return { ...stored, id, fields };
    } finally {
      busboy.on('error', () => undefined);
      busboy.destroy();
      source?.destroy();
      await file?.catch(() => undefined);
      await target.close();
    }
  }
}

function busboyOf({ headers }: IncomingMessage, most: number): BusboyInstance {
  try {
    return new Busboy({
      headers: headers as BusboyHeaders,
      limits: { ...LIMITS, fileSize: most },
      isPartAFile: (field, _type, fileName) => fileName !== undefined || field === 'file',
    });
  } catch (error) {
    throw new AppError('uploads.malformed', messageOf(error));
  }
}

const tooLarge = (most: number, found: string): AppError =>
  new AppError('uploads.too-large', `${found}, ${most} at most (UPLOAD_MAX_BYTES)`);

const tooManyParts = (): AppError =>
  new AppError('uploads.too-many-parts', `one file and up to ${FIELDS} fields are taken`);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

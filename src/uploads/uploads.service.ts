import type { IncomingMessage } from 'node:http';
import { Injectable, Logger } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { FileFinishedV1, FileReceivedV1 } from '../contracts/index.js';
import { Bus } from '../platform/bus/index.js';
import { AppError, badParameter } from '../platform/errors/index.js';
import { validationPipe } from '../platform/http/index.js';
import { nowUs } from '../platform/observability/index.js';
import { dataOf, type UploadedFile, type UploadOptions } from './file.js';
import { FileStore } from './file.store.js';
import { UploadQuery } from './files.dto.js';
import { charsetNamed } from './reading/charset.js';
import { type Received, Receiver } from './receiving/receiver.service.js';
import { UploadFolder } from './upload-folder.service.js';

/** The row is rolled back, and the first file of the content answered. */
class Duplicate extends Error {
  constructor(readonly first: UploadedFile) {
    super('the same content came before');
  }
}

type Answered = Readonly<{ file: UploadedFile; isDuplicate: boolean }>;

/** Takes files in, once each content, and gives them up. */
@Injectable()
export class Uploads {
  private readonly logger = new Logger('Uploads');
  private readonly pipe = validationPipe();

  constructor(
    private readonly bus: Bus,
    private readonly store: FileStore,
    private readonly receiver: Receiver,
    private readonly folder: UploadFolder,
    @InjectMetric('uploads_total') private readonly results: Counter<'result'>,
    @InjectMetric('upload_bytes_total') private readonly bytes: Counter,
  ) {}

  async receive(request: IncomingMessage, query: UploadQuery): Promise<Answered> {
    try {
      const answered = await this.receiver.receive(request, async (received) => {
        const file = await this.keep(received, await this.optionsOf(query, received.fields));
        return [file, !file.isDuplicate] as const;
      });
      this.results.inc({ result: answered.isDuplicate ? 'duplicate' : 'accepted' });
      return answered;
    } catch (error) {
      this.results.inc({ result: error instanceof AppError ? error.code : 'failed' });
      throw error;
    }
  }

  /** Stops the reading, and deletes the bytes; what is recorded stays. */
  async remove({ id }: UploadedFile): Promise<void> {
    await this.bus.transaction(async (tx) => {
      const ended = await this.store.finish(tx, id, undefined, {
        status: 'failed',
        error: 'deleted before it was read to its end',
      });
      await this.store.forgetBytes(tx, id);
      if (ended) await this.bus.append(tx, FileFinishedV1, dataOf(ended));
    });
    await this.folder.remove(id);
  }

  /** Whether two uploads are of the same content is decided by the table of contents, which takes each hash once. */
  private async keep(received: Received, { isForced, options }: Said): Promise<Answered> {
    const { id, name, bytes, sha256, unpackedSha256, packing } = received;
    this.bytes.inc(bytes);
    const hashes = unpackedSha256 === null ? [sha256] : [sha256, unpackedSha256];
    await this.folder.sync();
    try {
      const file = await this.bus.transaction(async (tx) => {
        const before = isForced ? await this.store.firstOf(hashes, tx) : undefined;
        const duplicateOf = before?.id ?? null;
        const stored = await this.store.insert(tx, {
          id,
          name,
          packing,
          options,
          sha256,
          unpackedSha256,
          duplicateOf,
          bytes,
          receivedAtUs: nowUs(),
        });
        await this.store.claimContent(tx, id, hashes);
        const first = await this.store.firstOf(hashes, tx);
        if (!isForced && first && first.id !== id) throw new Duplicate(first);
        await this.bus.append(tx, FileReceivedV1, dataOf(stored));
        return stored;
      });
      this.logger.log(`Upload ${name} (${bytes} bytes) is file ${id}`);
      return { file, isDuplicate: false };
    } catch (error) {
      if (error instanceof Duplicate) return { file: error.first, isDuplicate: true };
      throw error;
    }
  }

  private async optionsOf(query: UploadQuery, fields: ReadonlyMap<string, string>): Promise<Said> {
    const twice = [...fields.keys()].find(
      (name) => Object.hasOwn(query, name) && query[name as keyof UploadQuery] !== undefined,
    );
    if (twice !== undefined) throw badParameter(twice, 'must stand in the address or in the body, not in both');
    const given = Object.fromEntries([...fields].filter(([, value]) => value !== ''));
    const told = (await this.pipe.transform(given, { type: 'query', metatype: UploadQuery, data: '' })) as UploadQuery;
    const { format, timezone, year, charset, symbol, source, force } = { ...query, ...definedOf(told) };
    return {
      isForced: force === 'true',
      options: {
        ...definedOf({ format, year, symbol, source }),
        ...(timezone === undefined ? {} : { offsetMinutes: minutesOf(timezone) }),
        ...(charset === undefined ? {} : { charset: charsetNamed(charset)! }),
      },
    };
  }
}

type Said = Readonly<{ isForced: boolean; options: UploadOptions }>;

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const definedOf = <T extends object>(values: T): Defined<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;

/** `+02:00` to minutes east of UTC. */
function minutesOf(offset: string): number {
  if (offset === 'Z') return 0;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return offset.startsWith('-') ? -minutes : minutes;
}

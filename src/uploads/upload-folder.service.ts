import { type FileHandle, mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Settings } from '../platform/config/index.js';
import { AppError } from '../platform/errors/index.js';

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Kept free for the database, which is often on the same disk; of a small disk a twentieth. */
const RESERVE_BYTES = 256 * 2 ** 20;
const RESERVE_SHARE = 0.05;
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** DATA_DIR/uploads: one file each, named by our own id and nothing else. */
@Injectable()
export class UploadFolder {
  private readonly path: string;

  constructor(settings: Settings) {
    this.path = join(settings.DATA_DIR, 'uploads');
  }

  /** A new file to write to. Throws `uploads.no-room` when `wantedBytes` more would leave too little. */
  async create(id: string, wantedBytes: number): Promise<FileHandle> {
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
      await this.ensureRoom(wantedBytes);
      return await open(this.pathOf(id), 'wx', 0o600);
    } catch (error) {
      throw asProblem(error);
    }
  }

  pathOf(id: string): string {
    if (!ID.test(id)) throw new Error(`${id.slice(0, 60)} is no id of a file`);
    return join(this.path, id);
  }

  async ensureRoom(wantedBytes: number): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(this.path);
    const reserve = Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE);
    const free = bavail * bsize - reserve;
    if (wantedBytes > free)
      throw new AppError('uploads.no-room', `${Math.max(0, Math.floor(free))} bytes may still be stored`);
  }

  async remove(id: string): Promise<void> {
    await rm(this.pathOf(id), { force: true });
  }

  /** Files that nothing was written to for `forMs`. */
  async untouched(forMs: number): Promise<string[]> {
    const names = await readdir(this.path).catch(() => []);
    const found: string[] = [];
    for (const name of names.filter((one) => ID.test(one))) {
      const { mtimeMs } = await stat(join(this.path, name)).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs >= forMs) found.push(name);
    }
    return found;
  }

  /** What was created or removed here survives a loss of power. */
  async sync(): Promise<void> {
    const folder = await open(this.path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

/** What the file system says as what the client is told. */
export function asProblem(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && FULL.has(code)
    ? new AppError('uploads.no-room', 'the file could not be stored whole', { cause: error })
    : error;
}

import { formatInstant } from './instant.js';
import type { FileData } from './uploads.events.js';

/** A file as REST and the live streams both tell it. */
export function fileBody({ fileId, receivedAtUs, finishedAtUs, ...file }: FileData) {
  const { name, status, format, sha256, duplicateOf, counts, percent, error } = file;
  return {
    id: fileId,
    name,
    status,
    format,
    sha256,
    duplicateOf,
    counts,
    percent,
    error,
    receivedAt: formatInstant(receivedAtUs),
    finishedAt: finishedAtUs === null ? null : formatInstant(finishedAtUs),
  };
}
